// See client.h.
#include "ctl/client.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/printable.h"
#include "ctl/mount_table.h"
#include "ctl/protocol.h"
#include "ctl/rendezvous.h"

namespace sftpfs::ctl {

namespace {

const char* unreachable_cure(int error) {
  switch (error) {
    case ECONNREFUSED:
      return " (the mount's process has ended without unmounting: umount -l it and mount again)";
    case EACCES: return " (only root and who has mounted may ask)";
    default: return "";
  }
}

}  // namespace

Result<Client> Client::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kInvalid, socket_path + ": too long for a socket");
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(Error::system(errno, "socket"));
  const timeval patience{kServerPatience.count(), 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(Error::system(errno, socket_path + unreachable_cure(errno)));
  }
  return Client(std::move(socket));
}

pid_t Client::server_pid() const {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
  return peer.pid;
}

Status Client::send(const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t got = ::send(socket_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::system(errno, "control socket"));
    sent += static_cast<std::size_t>(got);
  }
  return {};
}

Result<std::string> Client::read_line() {
  while (true) {
    const std::size_t end = input_.find('\n');
    if (end != std::string::npos) {
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      return line;
    }
    if (input_.size() > kReplyBytesMax) return fail(ErrorCode::kProtocol, "too long an answer");
    std::array<char, 16384> buffer{};
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      return fail(ErrorCode::kTimedOut, "the mount does not answer at its control socket");
    }
    if (got < 0) return fail(Error::system(errno, "control socket"));
    if (got == 0) return fail(ErrorCode::kConnectionLost, "the mount has ended");
    input_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<nlohmann::json> Client::ask(const nlohmann::json& request, const News& news) {
  const Status sent = send(request.dump() + '\n');
  if (!sent) return fail(sent.error());
  while (true) {
    const Result<std::string> line = read_line();
    if (!line) return fail(line.error());
    nlohmann::json value = nlohmann::json::parse(*line, nullptr, false);
    if (!value.is_object()) return fail(ErrorCode::kProtocol, "an answer that is no JSON object");
    if (const auto result = value.find("result"); result != value.end()) return *result;
    if (const auto error = value.find("error"); error != value.end()) {
      return fail(ErrorCode::kInvalid,
                  error->is_string() ? printable(error->get<std::string>()) : "refused");
    }
    const auto progress = value.find("progress");
    if (progress != value.end() && news && !news(*progress)) {
      return fail(ErrorCode::kTimedOut, "the time is over");
    }
  }
}

Result<nlohmann::json> ask_once(const std::string& socket_path, const std::string& command) {
  Result<Client> client = Client::connect(socket_path);
  if (!client) return fail(client.error());
  return client->ask({{"command", command}});
}

std::string absolute_path(const std::string& path) {
  std::error_code failure;
  const std::filesystem::path here =
      path.starts_with('/') ? "" : std::filesystem::current_path(failure);
  std::string absolute = (here / path).lexically_normal().string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

namespace {

// The mount table has no symbolic links in its names; a path on the command line may. Only the
// directory is resolved: the mount itself may not answer.
std::optional<MountEntry> mount_of(const std::vector<MountEntry>& table, const std::string& path) {
  const auto is_ours = [](const std::optional<MountEntry>& entry) {
    return entry && entry->type.starts_with("fuse");
  };
  std::optional<MountEntry> found = find_mount_of(table, path);
  if (is_ours(found)) return found;
  const std::filesystem::path name(path);
  std::error_code failure;
  const std::filesystem::path parent = std::filesystem::canonical(name.parent_path(), failure);
  if (failure) return std::nullopt;
  found = find_mount_of(table, (parent / name.filename()).string());
  if (is_ours(found)) return found;
  return std::nullopt;
}

}  // namespace

Result<std::string> socket_for(const std::string& path) {
  const Result<std::vector<MountEntry>> table = read_mount_table();
  if (!table) return fail(table.error());
  const std::optional<MountEntry> mount = mount_of(*table, absolute_path(path));
  if (!mount) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("{}: not inside a mount of sftpfs (see sftpfsctl list)", printable(path)));
  }
  for (const std::string& directory : client_directories()) {
    std::string socket = directory + "/" + socket_name(mount->device);
    struct stat status {};
    if (::lstat(socket.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) return socket;
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("{}: no control socket of {}; it belongs to another user or is no sftpfs",
                          printable(path), printable(mount->directory)));
}

}  // namespace sftpfs::ctl
