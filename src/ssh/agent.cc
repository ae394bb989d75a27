// See agent.h.
#include "ssh/agent.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ssh/wire.h"

namespace sftpfs::ssh {
namespace {

constexpr std::uint8_t kRequestIdentities = 11;
constexpr std::uint8_t kIdentitiesAnswer = 12;
constexpr std::uint8_t kSignRequest = 13;
constexpr std::uint8_t kSignResponse = 14;
constexpr std::uint32_t kFlagRsaSha256 = 2;
constexpr std::uint32_t kFlagRsaSha512 = 4;
constexpr std::uint32_t kMessageBytesMax = 256 * 1024;
constexpr std::uint32_t kKeysMax = 2048;

tl::unexpected<Error> broken(const char* what) {
  return fail(ErrorCode::kProtocol, fmt::format("ssh-agent: {}", what));
}

}  // namespace

Result<Agent> Agent::open(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kInvalid, fmt::format("ssh-agent: {}: path too long", socket_path));
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(Error::system(errno, "ssh-agent: " + socket_path));
  }
  return Agent(std::move(socket));
}

Status Agent::send_all(std::string_view bytes, const Patience& patience) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (Status ready = patience.wait(socket_.get(), POLLOUT); !ready) return ready;
    } else if (errno != EINTR) {
      return fail(Error::system(errno, "ssh-agent"));
    }
  }
  return {};
}

Status Agent::receive_exactly(char* into, std::size_t size, const Patience& patience) {
  while (size > 0) {
    const ssize_t got = ::recv(socket_.get(), into, size, 0);
    if (got > 0) {
      into += got;
      size -= static_cast<std::size_t>(got);
    } else if (got == 0) {
      return broken("closed the connection");
    } else if (errno == EAGAIN) {
      if (Status ready = patience.wait(socket_.get(), POLLIN); !ready) return ready;
    } else if (errno != EINTR) {
      return fail(Error::system(errno, "ssh-agent"));
    }
  }
  return {};
}

Result<std::string> Agent::ask(const std::string& request, const Patience& patience) {
  const std::string framed = WireWriter().str(request).take();
  if (Status sent = send_all(framed, patience); !sent) return fail(sent.error());
  std::string head(4, '\0');
  if (Status got = receive_exactly(head.data(), head.size(), patience); !got) {
    return fail(got.error());
  }
  const std::uint32_t size = WireReader(head).u32();
  if (size == 0 || size > kMessageBytesMax) return broken("sent a message of impossible size");
  std::string answer(size, '\0');
  if (Status got = receive_exactly(answer.data(), answer.size(), patience); !got) {
    return fail(got.error());
  }
  return answer;
}

Result<std::vector<AgentKey>> Agent::list(const Patience& patience) {
  Result<std::string> answer = ask(WireWriter().u8(kRequestIdentities).take(), patience);
  if (!answer) return fail(answer.error());
  WireReader reader(*answer);
  if (reader.u8() != kIdentitiesAnswer) return broken("refused to list its keys");
  const std::uint32_t count = reader.u32();
  if (!reader.ok() || count > kKeysMax) return broken("sent a damaged list of keys");
  std::vector<AgentKey> keys;
  for (std::uint32_t i = 0; i < count; ++i) {
    AgentKey key;
    key.blob = reader.str();
    key.comment = reader.str();
    if (!reader.ok()) return broken("sent a damaged list of keys");
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<std::string> Agent::sign(const std::string& blob, std::string_view algorithm,
                                std::string_view data, const Patience& patience) {
  const std::uint32_t flags = algorithm == "rsa-sha2-512"   ? kFlagRsaSha512
                              : algorithm == "rsa-sha2-256" ? kFlagRsaSha256
                                                            : 0;
  Result<std::string> answer =
      ask(WireWriter().u8(kSignRequest).str(blob).str(data).u32(flags).take(), patience);
  if (!answer) return fail(answer.error());
  WireReader reader(*answer);
  if (reader.u8() != kSignResponse) {
    return fail(ErrorCode::kAuthentication, "ssh-agent: refused to sign");
  }
  WireReader signature(reader.str());
  const std::string_view used = signature.str();
  const std::string_view raw = signature.str();
  if (!reader.ok() || !signature.ok()) return broken("sent a damaged signature");
  // An old agent ignores the flags; the server would refuse what it made instead.
  if (used != algorithm) {
    return fail(ErrorCode::kAuthentication,
                fmt::format("ssh-agent: signed with {} instead of {}", used, algorithm));
  }
  return std::string(raw);
}

}  // namespace sftpfs::ssh
