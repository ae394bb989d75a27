// Client: the user's end of the control socket.
//
// Ownership: a connection serves one request.
// Threads:   blocks the caller; one thread for each object.
// Limits:    waits kServerPatience for each line of the reply. What is read is bounded and may be
//            of any shape: a socket may belong to somebody else.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::ctl {

inline constexpr std::chrono::seconds kServerPatience{10};

class Client {
 public:
  // Told of each line of progress; false ends the wait (kTimedOut).
  using News = std::function<bool(const nlohmann::json& news)>;

  static Result<Client> connect(const std::string& socket_path);
  // What the daemon answers; its refusal is an error.
  Result<nlohmann::json> ask(const nlohmann::json& request, const News& news = {});
  // The daemon's process, as the kernel knows it.
  pid_t server_pid() const;

 private:
  explicit Client(UniqueFd socket) : socket_(std::move(socket)) {}
  Status send(const std::string& text);
  Result<std::string> read_line();

  UniqueFd socket_;
  std::string input_;
};

// {"command": command}, over a connection of its own.
Result<nlohmann::json> ask_once(const std::string& socket_path, const std::string& command);

// An absolute path without "." and "..", made of names only: nothing is asked of a mount.
std::string absolute_path(const std::string& path);
// The control socket of the mount in which `path` lies.
Result<std::string> socket_for(const std::string& path);

}  // namespace sftpfs::ctl
