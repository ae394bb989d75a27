// See bare_sftp.h.
#include "ssh/bare_sftp.h"

#include <fmt/core.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "ssh/messages.h"
#include "ssh/resolve.h"
#include "ssh/socket_stream.h"
#include "ssh/standard_streams.h"
#include "ssh/tcp.h"

namespace sftpfs::ssh {
namespace {

using Stream = std::unique_ptr<runtime::ByteStream>;

class BareStream final : public SocketStream {
 public:
  BareStream(UniqueFd socket, std::string peer, std::unique_ptr<StandardStreams> behind)
      : SocketStream(std::move(socket), peer + " (without SSH)"),
        peer_(std::move(peer)),
        behind_(std::move(behind)) {}

 private:
  Error ending(int socket_errno) override {
    return Error(ErrorCode::kConnectionLost,
                 fmt::format("{}: {}", peer_,
                             socket_errno == 0 ? "the server ended the connection"
                                               : std::strerror(socket_errno)));
  }

  std::string peer_;
  std::unique_ptr<StandardStreams> behind_;
};

Result<Stream> over_tcp(const Options& options, const Patience& patience) {
  TcpDestination destination;
  destination.host = without_brackets(options.host);
  destination.port = static_cast<std::uint16_t>(options.bare->port);
  destination.family = options.address_family;
  destination.unacknowledged_max = options.server_alive_interval.value_or(kServerAliveInterval) *
                                   options.server_alive_count_max.value_or(kServerAliveCountMax);
  Result<TcpConnection> tcp = tcp_connect(destination, patience);
  if (!tcp) return fail(tcp.error());
  return Stream(std::make_unique<BareStream>(
      std::move(tcp->socket), fmt::format("{}:{}", options.host, options.bare->port), nullptr));
}

Result<Stream> over_vsock(const Options& options, const Patience& patience) {
  const BareSftp& bare = *options.bare;
  const std::string peer = fmt::format("vsock {}:{}", bare.cid, bare.port);
  const auto failed = [&peer](int error) {
    return fail(ErrorCode::kConnectionLost,
                fmt::format("cannot connect to {}: {}; does the virtual machine run, and something "
                            "that serves SFTP there?",
                            peer, std::strerror(error)));
  };
  UniqueFd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed(errno);
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = bare.cid;
  address.svm_port = bare.port;
  const int rc =
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (rc != 0 && errno != EINPROGRESS) return failed(errno);
  if (Status ready = patience.wait(socket.get(), POLLOUT); !ready) {
    if (!ready.error().is(ErrorCode::kTimedOut)) return fail(ready.error());
    return failed(ETIMEDOUT);
  }
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return failed(error);
  return Stream(std::make_unique<BareStream>(std::move(socket), peer, nullptr));
}

Result<Stream> over_standard_streams(Login& login) {
  if (!login.can_clone()) {
    // What needs the user is not tried again, and nobody waits for it.
    return fail(ErrorCode::kAuthentication,
                "passive: standard input and output have ended; unmount, and mount again");
  }
  login.set_once_only();
  Result<StandardStreams::Taken> taken = StandardStreams::take();
  if (!taken) return fail(taken.error());
  return Stream(std::make_unique<BareStream>(std::move(taken->socket), "standard input and output",
                                             std::move(taken->streams)));
}

}  // namespace

Result<Stream> connect_bare(const Options& options, Login& login, const Interrupt* interrupt) {
  const Patience patience(options.connect_timeout.value_or(kConnectTimeout), interrupt);
  switch (options.bare->over) {
    case BareSftp::Over::kTcp: return over_tcp(options, patience);
    case BareSftp::Over::kVsock: return over_vsock(options, patience);
    case BareSftp::Over::kStandardStreams: break;
  }
  return over_standard_streams(login);
}

}  // namespace sftpfs::ssh
