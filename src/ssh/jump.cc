// See jump.h.
#include "ssh/jump.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "ssh/byte_queue.h"
#include "ssh/jump_hosts.h"
#include "ssh/libssh2_login.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr int kDataStream = 0;
constexpr const char* kMayAsk = "ask";
constexpr const char* kQuiet = "quiet";

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return fail(ErrorCode::kInvalid, fmt::format("ProxyJump: \"{}\" is no port", text));
  }
  return port;
}

// A path that has been expanded, so that it comes out as it is when it is expanded again.
std::string literal(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == '%') text.push_back('%');
    text.push_back(c);
  }
  return text;
}

// Passes bytes on in both directions until one of them ends.
class Forward {
 public:
  Forward(Libssh2Session& session, int input, int output)
      : session_(session), input_(input), output_(output) {}

  Status run(const Patience& patience) {
    while (true) {
      if (Status moved = move(); !moved || over_) return moved;
      std::array<pollfd, 3> fds{wanted_of_session(), wanted_of_input(), wanted_of_output()};
      const Result<int> ready = patience.poll(fds, kLongest);
      if (!ready) return fail(ready.error());
      if (fds[0].revents != 0) session_.fill();
      session_.flush();
    }
  }

 private:
  // An hour is as good as ever: it is only woken in vain.
  static constexpr std::chrono::hours kLongest{1};

  Status move() {
    bool moving = true;
    while (moving && !over_) {
      const std::size_t before = session_.input_size();
      Result<bool> in = from_server();
      if (!in) return fail(in.error());
      Result<bool> out = to_server();
      if (!out) return fail(out.error());
      session_.flush();
      // libssh2 may say "again" with input left over; only an unchanged queue means waiting.
      moving = *in || *out || (session_.input_size() != before && session_.input_size() > 0);
    }
    return {};
  }

  Result<bool> from_server() {
    bool moved = false;
    if (to_us_.size() < kBufferBytes) {
      const MutableByteSpan space = to_us_.prepare(kBufferBytes);
      const ssize_t got = libssh2_channel_read_ex(
          session_.channel(), kDataStream, reinterpret_cast<char*>(space.data()), space.size());
      if (got < 0 && got != LIBSSH2_ERROR_EAGAIN) {
        return fail(session_.failure(static_cast<long>(got)));
      }
      moved = got > 0;
      if (moved) to_us_.commit(static_cast<std::size_t>(got));
    }
    while (!to_us_.empty()) {
      const ssize_t sent =
          ::send(output_, to_us_.front().data(), to_us_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) break;
      if (sent < 0) return end();
      to_us_.consume(static_cast<std::size_t>(sent));
    }
    const bool server_ended = libssh2_channel_eof(session_.channel()) != 0 || session_.ended();
    if (server_ended && !moved && to_us_.empty()) return end();
    return moved;
  }

  Result<bool> to_server() {
    bool moved = false;
    if (to_server_.empty()) {
      const MutableByteSpan space = to_server_.prepare(kBufferBytes);
      const ssize_t got = ::recv(input_, space.data(), space.size(), MSG_DONTWAIT);
      if (got == 0) return end();
      if (got < 0 && errno != EAGAIN && errno != EINTR) return end();
      moved = got > 0;
      if (moved) to_server_.commit(static_cast<std::size_t>(got));
    }
    if (to_server_.empty()) return moved;
    const ByteSpan bytes = to_server_.front();
    const ssize_t sent = libssh2_channel_write_ex(
        session_.channel(), kDataStream, reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (sent < 0 && sent != LIBSSH2_ERROR_EAGAIN) {
      return fail(session_.failure(static_cast<long>(sent)));
    }
    if (sent <= 0) return moved;
    to_server_.consume(static_cast<std::size_t>(sent));
    return true;
  }

  bool end() {
    over_ = true;
    return false;
  }

  pollfd wanted_of_session() const {
    short events = session_.input_full() ? 0 : POLLIN;
    if (session_.output_size() > 0) events |= POLLOUT;
    return {session_.fd(), events, 0};
  }
  pollfd wanted_of_input() const { return {to_server_.empty() ? input_ : -1, POLLIN, 0}; }
  pollfd wanted_of_output() const { return {to_us_.empty() ? -1 : output_, POLLOUT, 0}; }

  Libssh2Session& session_;
  const int input_;
  const int output_;
  ByteQueue to_us_;
  ByteQueue to_server_;  // libssh2 wants the same bytes again after EAGAIN
  bool over_ = false;
};

}  // namespace

Result<std::vector<std::string>> jump_command(const Target& target, bool may_prompt) {
  const Result<std::vector<JumpHost>> hosts = parse_jump_hosts(target.proxy_jump);
  if (!hosts) return fail(hosts.error());
  std::vector<std::string> words{target.jump_program,
                                 std::string(kJumpWord),
                                 may_prompt ? kMayAsk : kQuiet,
                                 target.proxy_jump,
                                 target.host,
                                 std::to_string(target.port)};
  const auto add = [&words](const char* name, const std::string& value) {
    words.push_back(fmt::format("{}={}", name, value));
  };
  const auto add_files = [&add](const char* name, const std::vector<std::string>& files) {
    std::string list;
    for (const std::string& file : files) list += fmt::format("\"{}\" ", literal(file));
    if (!list.empty()) add(name, list);
  };
  if (target.identity_files_named) {
    for (const std::string& file : target.identity_files) add("IdentityFile", literal(file));
  }
  add("IdentitiesOnly", target.identities_only ? "yes" : "no");
  add("IdentityAgent", target.agent_socket.empty() ? "none" : literal(target.agent_socket));
  add_files("UserKnownHostsFile", target.user_known_hosts_files);
  add_files("GlobalKnownHostsFile", target.global_known_hosts_files);
  add("StrictHostKeyChecking", policy_word(target.host_key_policy));
  add("ConnectTimeout", std::to_string(target.connect_timeout.count()));
  return words;
}

Result<Jump> parse_jump_command(std::span<const char* const> words,
                                const std::string& own_program) {
  constexpr std::size_t kFixedWords = 4;
  if (words.size() < kFixedWords) {
    return fail(ErrorCode::kInvalid, fmt::format("{} is for sftpfs itself", kJumpWord));
  }
  Result<std::vector<JumpHost>> hosts = parse_jump_hosts(words[1]);
  if (!hosts) return fail(hosts.error());
  const JumpHost& last = hosts->back();
  const Result<std::uint16_t> port = parse_port(words[3]);
  if (!port) return fail(port.error());
  Jump jump;
  jump.may_prompt = std::strcmp(words[0], kMayAsk) == 0;
  jump.host = words[2];
  jump.port = *port;
  jump.options.host = last.host;
  jump.options.user = last.user;
  jump.options.own_program = own_program;
  jump.options.without_ssh = true;
  if (!last.port.empty()) {
    const Result<std::uint16_t> own_port = parse_port(last.port);
    if (!own_port) return fail(own_port.error());
    jump.options.port = *own_port;
  }
  for (const char* word : words.subspan(kFixedWords)) {
    const std::string_view text(word);
    const std::size_t equals = text.find('=');
    if (equals == text.npos) return fail(ErrorCode::kInvalid, fmt::format("no setting: {}", text));
    jump.options.ssh_options.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  const std::string earlier = earlier_jump_hosts(words[1]);
  if (!earlier.empty()) jump.options.ssh_options.emplace_back("ProxyJump", earlier);
  return jump;
}

Status run_jump(const Jump& jump, Prompter* prompter, int input, int output) {
  const Result<Target> target = resolve(jump.options);
  if (!target) return fail(target.error());
  Patience patience(target->connect_timeout, nullptr);
  Login login;
  Result<std::unique_ptr<Libssh2Session>> session = log_in({*target, login, prompter, patience});
  if (!session) return fail(session.error());
  if (Status opened = (*session)->open_forward(jump.host, jump.port, patience); !opened) {
    return opened;
  }
  patience.restart(Duration::max() / 4);
  return Forward(**session, input, output).run(patience);
}

}  // namespace sftpfs::ssh
