// Server: the daemon's end of the control socket.
//
//   a connection:  reading ──a line──► working ──last line──► writing ──all taken──► closed
//                     │ too long,         │ the client goes:      │ the client does not read
//                     ▼ too slow          ▼ the work is cancelled ▼
//                   closed              closed                  closed
//
// Ownership: app/ owns it; work under way shares its connection, so close() and drained() come
//            before the end.
// Threads:   its loop's thread. Nothing a client does or leaves undone makes that thread wait.
// Limits:    protocol.h. Only root and the user the daemon runs as are heard (SO_PEERCRED).
#pragma once

#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "runtime/cancel.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"

namespace sftpfs::ctl {

class Request {
 public:
  explicit Request(nlohmann::json value) : value_(std::move(value)) {}
  // A member that is a text; empty where there is none.
  std::string text(const char* name) const;

 private:
  nlohmann::json value_;
};

class Progress {
 public:
  virtual void say(const nlohmann::json& news) = 0;

 protected:
  ~Progress() = default;
};

using Answer = Result<nlohmann::json>;

class Handler {
 public:
  // `progress` lives as long as the task; `cancel` ends when the client goes or the server closes.
  virtual runtime::Task<Answer> handle(Request request, Progress& progress,
                                       std::shared_ptr<runtime::Cancel> cancel) = 0;

 protected:
  ~Handler() = default;
};

class Server final : private runtime::IoHandler {
 public:
  Server(runtime::Loop& loop, Handler& handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens at `path`, in place of what a daemon that died has left there.
  Status open(const std::string& path);
  // No more requests; the work under way is cancelled. The path is gone.
  void close();
  // Resumes when no work is under way any more.
  runtime::Task<void> drained();
  const std::string& path() const { return path_; }

 private:
  class Connection;

  void on_io(std::uint32_t events) override;
  void accept_one(UniqueFd socket);
  void remove(const Connection& connection);

  runtime::Loop& loop_;
  Handler& handler_;
  UniqueFd listener_;
  std::string path_;
  std::list<std::shared_ptr<Connection>> connections_;
  runtime::Gate work_;
};

}  // namespace sftpfs::ctl
