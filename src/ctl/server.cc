// See server.h.
#include "ctl/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "ctl/protocol.h"

namespace sftpfs::ctl {
namespace {

std::string line_of(const nlohmann::json& value) {
  // File names need not be UTF-8.
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

bool may_command(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

std::string Request::text(const char* name) const {
  const auto found = value_.find(name);
  return found != value_.end() && found->is_string() ? found->get<std::string>() : std::string();
}

class Server::Connection final : public runtime::IoHandler,
                                 public Progress,
                                 public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server& server, UniqueFd socket)
      : server_(server),
        socket_(std::move(socket)),
        patience_(server.loop_),
        cancel_(runtime::Cancel::create()) {}
  ~Connection() { SFTPFS_CHECK(!socket_); }

  Status open() {
    const Status added = server_.loop_.add_fd(socket_.get(), EPOLLIN, *this);
    if (!added) {
      socket_.reset();
      return added;
    }
    wait_for_peer();
    return {};
  }

  void close(runtime::CancelReason reason) {
    if (!socket_) return;
    const std::shared_ptr<Connection> keep = shared_from_this();
    patience_.cancel();
    server_.loop_.remove_fd(socket_.get(), *this);
    socket_.reset();
    cancel_->cancel(reason);
    server_.remove(*this);
  }

  void say(const nlohmann::json& news) override { send_line({{"progress", news}}); }

  void refuse(const std::string& why) { finish(fail(ErrorCode::kInvalid, why)); }

 private:
  void on_io(std::uint32_t events) override {
    const std::shared_ptr<Connection> keep = shared_from_this();
    if ((events & EPOLLOUT) != 0) flush();
    if (socket_ && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) receive();
  }

  void receive() {
    constexpr std::size_t kChunkBytes = 4096;
    std::array<char, kChunkBytes> buffer{};
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close(runtime::CancelReason::kInterrupted);
    if (working_) return;  // one request for each connection; what follows is nobody's
    input_.append(buffer.data(), static_cast<std::size_t>(got));
    const std::size_t end = input_.find('\n');
    if (end == std::string::npos) {
      if (input_.size() >= kRequestBytesMax) close(runtime::CancelReason::kInterrupted);
      return;
    }
    input_.resize(end);
    patience_.cancel();
    working_ = true;
    understand();
  }

  void understand() {
    nlohmann::json value = nlohmann::json::parse(input_, nullptr, false);
    if (!value.is_object()) return refuse("the request is no JSON object");
    if (!server_.work_.enter()) return refuse("the mount is ending");
    runtime::spawn(work(shared_from_this(), Request(std::move(value))));
  }

  static runtime::Task<void> work(std::shared_ptr<Connection> self, Request request) {
    const Answer answer =
        co_await self->server_.handler_.handle(std::move(request), *self, self->cancel_);
    self->finish(answer);
    self->server_.work_.leave();
  }

  void finish(const Answer& answer) {
    finished_ = true;
    if (answer) {
      send_line({{"result", *answer}});
    } else {
      send_line({{"error", answer.error().describe()}});
    }
  }

  void send_line(const nlohmann::json& value) {
    if (!socket_) return;
    output_ += line_of(value);
    if (output_.size() > kReplyBytesMax) return close(runtime::CancelReason::kInterrupted);
    flush();
  }

  void flush() {
    while (!output_.empty()) {
      const ssize_t sent = ::send(socket_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return wait_for_room();
      if (sent < 0) return close(runtime::CancelReason::kInterrupted);
      output_.erase(0, static_cast<std::size_t>(sent));
      patience_.cancel();
    }
    if (finished_) return close(runtime::CancelReason::kShutdown);
    watch(EPOLLIN);
  }

  void wait_for_room() {
    watch(EPOLLIN | EPOLLOUT);
    if (!patience_.active()) wait_for_peer();
  }

  void watch(std::uint32_t events) {
    const Status changed = server_.loop_.modify_fd(socket_.get(), events, *this);
    if (!changed) close(runtime::CancelReason::kInterrupted);
  }

  void wait_for_peer() {
    patience_.start_after(kPeerPatience, [this] { close(runtime::CancelReason::kTimedOut); });
  }

  Server& server_;
  UniqueFd socket_;  // empty once closed
  runtime::Timer patience_;
  const std::shared_ptr<runtime::Cancel> cancel_;
  std::string input_;
  std::string output_;
  bool working_ = false;
  bool finished_ = false;
};

Server::Server(runtime::Loop& loop, Handler& handler) : loop_(loop), handler_(handler) {}

Server::~Server() { close(); }

Status Server::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kInvalid, path + ": too long for a socket");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(Error::system(errno, "socket"));
  // Before bind(), so that the file never has other rights.
  if (::fchmod(socket.get(), 0600) != 0) return fail(Error::system(errno, "fchmod"));
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(Error::system(errno, path));
  }
  path_ = path;
  if (::listen(socket.get(), static_cast<int>(kConnectionsMax)) != 0) {
    return fail(Error::system(errno, path));
  }
  const Status added = loop_.add_fd(socket.get(), EPOLLIN, *this);
  if (!added) return added;
  listener_ = std::move(socket);
  return {};
}

void Server::close() {
  work_.close();
  if (listener_) loop_.remove_fd(listener_.get(), *this);
  listener_.reset();
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
  while (!connections_.empty()) {
    const std::shared_ptr<Connection> connection = connections_.front();
    connection->close(runtime::CancelReason::kShutdown);
  }
}

runtime::Task<void> Server::drained() { co_await work_.drained(); }

void Server::on_io(std::uint32_t /*events*/) {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket) accept_one(std::move(socket));
}

void Server::accept_one(UniqueFd socket) {
  if (!may_command(socket.get())) {
    log_debug("a stranger was turned away from the control socket");
    return;
  }
  // More than that is an attack or an accident; whoever it hits may come again.
  if (connections_.size() >= kConnectionsMax) return;
  const auto connection = std::make_shared<Connection>(*this, std::move(socket));
  const Status opened = connection->open();
  if (!opened) {
    log_warning("control socket: {}", opened.error().describe());
    return;
  }
  connections_.push_back(connection);
}

void Server::remove(const Connection& connection) {
  connections_.remove_if([&connection](const auto& each) { return each.get() == &connection; });
}

}  // namespace sftpfs::ctl
