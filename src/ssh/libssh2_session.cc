// See libssh2_session.h.
#include "ssh/libssh2_session.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/log.h"
#include "ssh/messages.h"
#include "ssh/tcp.h"

namespace sftpfs::ssh {
namespace {

// One recv() takes this much; it bounds what is decrypted before the data is handed on.
constexpr std::size_t kReceiveBytes = 256 * 1024;
// What we grant the server before anything is measured; see ByteStream::set_receive_window().
constexpr unsigned int kInitialWindowBytes = 2 * 1024 * 1024;
// Larger packets are refused by libssh2's receiver, smaller ones only cost.
constexpr unsigned int kPacketBytes = 32768;
// session_free() of a dead session is done at once; this only bounds a fault of the library.
constexpr int kFreeAttempts = 1000;

// Some servers (AsyncSSH) take the two names of SYMLINK in OpenSSH's order, which is ours, only
// from who says so.
constexpr const char* kBanner = "SSH-2.0-sftpfs (as OpenSSH)";

template <class Function>
void set_callback(LIBSSH2_SESSION* session, int which, Function* function) {
#if LIBSSH2_VERSION_NUM >= 0x010b01
  libssh2_session_callback_set2(session, which, reinterpret_cast<libssh2_cb_generic*>(function));
#else
  libssh2_session_callback_set(session, which, reinterpret_cast<void*>(function));
#endif
}

// How the server is asked for its SFTP server.
std::string_view channel_request(const std::string& sftp_server) {
  return sftp_server.find('/') == std::string::npos ? "subsystem" : "exec";
}

}  // namespace

// What libssh2 calls. `*abstract` is the session object.
struct Libssh2Callbacks {
  static Libssh2Session& self(void** abstract) { return *static_cast<Libssh2Session*>(*abstract); }

  static ssize_t send(libssh2_socket_t /*socket*/, const void* data, std::size_t size,
                      int /*flags*/, void** abstract) {
    Libssh2Session& session = self(abstract);
    if (session.dead_) return -EPIPE;
    session.output_.append({static_cast<const std::byte*>(data), size});
    return static_cast<ssize_t>(size);
  }

  static ssize_t receive(libssh2_socket_t /*socket*/, void* into, std::size_t size, int /*flags*/,
                         void** abstract) {
    Libssh2Session& session = self(abstract);
    if (session.dead_) return -ECONNRESET;
    // The end of the stream is kept from libssh2: it would drop data that is already decrypted.
    if (session.input_.empty()) return -EAGAIN;
    const std::size_t count = std::min(size, session.input_.size());
    std::memcpy(into, session.input_.front().data(), count);
    session.input_.consume(count);
    session.input_taken_ += count;
    return static_cast<ssize_t>(count);
  }

  static void disconnected(LIBSSH2_SESSION* /*session*/, int /*reason*/, const char* message,
                           int size, const char* /*language*/, int /*language_size*/,
                           void** abstract) {
    constexpr std::size_t kTextMax = 512;
    const std::size_t count = size > 0 ? static_cast<std::size_t>(size) : 0;
    self(abstract).disconnect_text_.assign(message, std::min(count, kTextMax));
  }

  static void* allocate(std::size_t size, void** abstract) {
    return self(abstract).memory_.allocate(size);
  }
  static void release(void* memory, void** abstract) { self(abstract).memory_.release(memory); }
  static void* reallocate(void* memory, std::size_t size, void** abstract) {
    return self(abstract).memory_.reallocate(memory, size);
  }
};

Status libssh2_start() {
  static std::once_flag once;
  static int result = 0;
  std::call_once(once, [] { result = libssh2_init(0); });
  if (result != 0) return fail(ErrorCode::kSystem, "libssh2 could not be started");
  return {};
}

Result<std::unique_ptr<Libssh2Session>> Libssh2Session::create(UniqueFd socket, std::string peer,
                                                               std::unique_ptr<Proxy> proxy) {
  if (Status started = libssh2_start(); !started) return fail(started.error());
  std::unique_ptr<Libssh2Session> session(
      new Libssh2Session(std::move(socket), std::move(peer), std::move(proxy)));
  if (!session->create_session()) return fail(ErrorCode::kSystem, "libssh2: out of memory");
  return session;
}

bool Libssh2Session::create_session() {
  session_ = libssh2_session_init_ex(&Libssh2Callbacks::allocate, &Libssh2Callbacks::release,
                                     &Libssh2Callbacks::reallocate, this);
  if (session_ == nullptr) return false;
  libssh2_session_set_blocking(session_, 0);
  if (libssh2_session_banner_set(session_, kBanner) != 0) return false;
  set_callback(session_, LIBSSH2_CALLBACK_SEND, &Libssh2Callbacks::send);
  set_callback(session_, LIBSSH2_CALLBACK_RECV, &Libssh2Callbacks::receive);
  set_callback(session_, LIBSSH2_CALLBACK_DISCONNECT, &Libssh2Callbacks::disconnected);
  return true;
}

Libssh2Session::~Libssh2Session() {
  if (session_ == nullptr) return;
  // A word of farewell, if the socket takes it at once; the peer's answer is not waited for.
  if (!channels_.empty() && !ended_) {
    libssh2_session_disconnect(session_, "closed by sftpfs");
    flush();
  }
  dead_ = true;
  for (LIBSSH2_CHANNEL* channel : channels_) libssh2_channel_free(channel);
  int attempts = 0;
  while (libssh2_session_free(session_) == LIBSSH2_ERROR_EAGAIN && attempts < kFreeAttempts) {
    ++attempts;
  }
}

bool Libssh2Session::prefer(int method, const std::vector<std::string>& names) {
  return libssh2_session_method_pref(session_, method,
                                     fmt::format("{}", fmt::join(names, ",")).c_str()) == 0;
}

Status Libssh2Session::set_preferences(const Proposal& proposal, bool compression) {
  const bool ok = (proposal.kex.empty() || prefer(LIBSSH2_METHOD_KEX, proposal.kex)) &&
                  prefer(LIBSSH2_METHOD_HOSTKEY, proposal.host_keys) &&
                  prefer(LIBSSH2_METHOD_CRYPT_CS, proposal.ciphers) &&
                  prefer(LIBSSH2_METHOD_CRYPT_SC, proposal.ciphers) &&
                  prefer(LIBSSH2_METHOD_MAC_CS, proposal.macs) &&
                  prefer(LIBSSH2_METHOD_MAC_SC, proposal.macs);
  if (!ok) return fail(failure(LIBSSH2_ERROR_METHOD_NOT_SUPPORTED));
  if (compression) libssh2_session_flag(session_, LIBSSH2_FLAG_COMPRESS, 1);
  return {};
}

Status Libssh2Session::handshake(const std::vector<std::string>& known_types,
                                 const AlgorithmLists& lists, bool compression,
                                 const Patience& patience) {
  const Result<Proposal> proposal = make_proposal(session_, lists, known_types);
  if (!proposal) return fail(proposal.error());
  if (Status set = set_preferences(*proposal, compression); !set) return set;
  Result<long> rc =
      drive(patience, [this] { return long{libssh2_session_handshake(session_, socket_.get())}; });
  const bool greeted = server_banner().starts_with("SSH-");
  if (!greeted && !proxy_ && (rc || rc.error().is(ErrorCode::kConnectionLost))) {
    const Error why = rc ? failure(*rc) : rc.error();
    return fail(ErrorCode::kConnectionLost,
                fmt::format("{}{} ({})", peer_, kNoGreetingText, why.message()));
  }
  if (!rc) return fail(rc.error());
  if (*rc == LIBSSH2_ERROR_KEX_FAILURE || *rc == LIBSSH2_ERROR_METHOD_NONE) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: no algorithm in common with the server ({}); libssh2 {} has no "
                            "ChaCha20, and before 1.11 neither AES-GCM nor RSA host keys: use "
                            "-o transport=ssh",
                            peer_, failure(*rc).message(), LIBSSH2_VERSION));
  }
  if (*rc != 0) return fail(failure(*rc));
  const auto method = [this](int which) { return libssh2_session_methods(session_, which); };
  log_debug("{}: {}; key exchange {}, host key {}, cipher {}, mac {}", peer_, server_banner(),
            method(LIBSSH2_METHOD_KEX), method(LIBSSH2_METHOD_HOSTKEY),
            method(LIBSSH2_METHOD_CRYPT_SC), method(LIBSSH2_METHOD_MAC_SC));
  return {};
}

long Libssh2Session::try_open(LIBSSH2_CHANNEL*& channel) {
  channel = libssh2_channel_open_ex(session_, "session", 7, kInitialWindowBytes, kPacketBytes,
                                    nullptr, 0);
  if (channel == nullptr) return libssh2_session_last_errno(session_);
  channels_.push_back(channel);
  return 0;
}

long Libssh2Session::try_start(LIBSSH2_CHANNEL* channel, const std::string& sftp_server) {
  const std::string_view kind = channel_request(sftp_server);
  return libssh2_channel_process_startup(channel, kind.data(),
                                         static_cast<unsigned int>(kind.size()), sftp_server.data(),
                                         static_cast<unsigned int>(sftp_server.size()));
}

bool Libssh2Session::try_close(LIBSSH2_CHANNEL* channel) {
  if (libssh2_channel_free(channel) == LIBSSH2_ERROR_EAGAIN) return false;
  std::erase(channels_, channel);
  return true;
}

Status Libssh2Session::open_channel(const std::string& sftp_server, const Patience& patience) {
  LIBSSH2_CHANNEL* channel = nullptr;
  Result<long> opened = drive(patience, [&] { return try_open(channel); });
  if (!opened) return fail(opened.error());
  if (*opened != 0) return fail(failure(*opened));
  Result<long> started = drive(patience, [&] { return try_start(channel, sftp_server); });
  if (!started) return fail(started.error());
  if (*started == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: the server refused to start \"{}\" ({}); {}", peer_, sftp_server,
                            channel_request(sftp_server), kNoSubsystemCure));
  }
  if (*started != 0) return fail(failure(*started));
  return {};
}

Status Libssh2Session::open_forward(const std::string& host, std::uint16_t port,
                                    const Patience& patience) {
  Result<long> opened = drive(patience, [&] {
    // Where we come from is for the server's log; nobody connects to us.
    LIBSSH2_CHANNEL* channel =
        libssh2_channel_direct_tcpip_ex(session_, host.c_str(), port, "127.0.0.1", 0);
    if (channel == nullptr) return long{libssh2_session_last_errno(session_)};
    channels_.push_back(channel);
    return 0L;
  });
  if (!opened) return fail(opened.error());
  if (*opened == 0) return {};
  if (*opened == LIBSSH2_ERROR_CHANNEL_FAILURE) {
    return fail(ErrorCode::kConnectionLost,
                fmt::format("{} does not connect us to {} port {}: it is not there, or the server "
                            "does not forward connections (AllowTcpForwarding)",
                            peer_, host, port));
  }
  return fail(failure(*opened));
}

Status Libssh2Session::wait_for_input(const Patience& patience) {
  if (ended_) return fail(failure(LIBSSH2_ERROR_SOCKET_DISCONNECT));
  const short events = output_.empty() ? POLLIN : POLLIN | POLLOUT;
  if (Status ready = patience.wait(socket_.get(), events); !ready) {
    if (!ready.error().is(ErrorCode::kTimedOut)) return ready;
    return fail(ErrorCode::kTimedOut, fmt::format("{}{}", peer_, kSilentText));
  }
  flush();
  fill();
  return {};
}

std::size_t Libssh2Session::fill() {
  const std::size_t room = kReceiveBytes - std::min(kReceiveBytes, input_.size());
  if (ended_ || room == 0) return 0;
  const MutableByteSpan space = input_.prepare(room);
  const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), 0);
  drained_ = got < static_cast<ssize_t>(room);
  if (got > 0) {
    input_.commit(static_cast<std::size_t>(got));
    return static_cast<std::size_t>(got);
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  socket_errno_ = got < 0 ? errno : 0;
  ended_ = true;
  return 0;
}

bool Libssh2Session::input_full() const { return input_.size() >= kReceiveBytes; }

void Libssh2Session::flush() {
  while (!output_.empty()) {
    const ssize_t sent =
        ::send(socket_.get(), output_.front().data(), output_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
      // The reason, if there is one, arrives on the receiving side, which ends next.
      output_.clear();
      return;
    }
    bytes_sent_ += static_cast<std::uint64_t>(sent);
    output_.consume(static_cast<std::size_t>(sent));
  }
}

std::uint64_t Libssh2Session::bytes_delivered() const {
  if (!proxy_) return tcp_bytes_acknowledged(socket_.get());
  int unread = 0;
  if (::ioctl(socket_.get(), SIOCOUTQ, &unread) != 0) return 0;
  const std::uint64_t waiting = static_cast<std::uint64_t>(std::max(unread, 0));
  return bytes_sent_ > waiting ? bytes_sent_ - waiting : 0;
}

Error Libssh2Session::failure(long libssh2_rc) const {
  if (!disconnect_text_.empty()) {
    return Error(ErrorCode::kConnectionLost,
                 fmt::format("{}: the server ended the connection: {}", peer_, disconnect_text_));
  }
  if (proxy_ && (ended_ || socket_errno_ != 0)) return proxy_->complaint(peer_);
  if (socket_errno_ != 0) {
    return Error(ErrorCode::kConnectionLost,
                 fmt::format("{}: {}", peer_, std::strerror(socket_errno_)));
  }
  if (ended_ || libssh2_rc == LIBSSH2_ERROR_SOCKET_DISCONNECT) {
    return Error(ErrorCode::kConnectionLost,
                 fmt::format("{}: the server closed the connection", peer_));
  }
  char* text = nullptr;
  libssh2_session_last_error(session_, &text, nullptr, 0);
  return Error(ErrorCode::kConnectionLost, fmt::format("{}: {} (libssh2 error {})", peer_,
                                                       text == nullptr ? "" : text, libssh2_rc));
}

std::string Libssh2Session::host_key() const {
  std::size_t size = 0;
  int type = 0;
  const char* key = libssh2_session_hostkey(session_, &size, &type);
  return key == nullptr ? std::string() : std::string(key, size);
}

std::string Libssh2Session::server_banner() const {
  const char* banner = libssh2_session_banner_get(session_);
  return banner == nullptr ? "" : banner;
}

std::string Libssh2Session::cipher() const {
  const char* name = libssh2_session_methods(session_, LIBSSH2_METHOD_CRYPT_SC);
  return name == nullptr ? "" : name;
}

}  // namespace sftpfs::ssh
