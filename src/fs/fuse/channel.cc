// See channel.h.
#include "fs/fuse/channel.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/check.h"
#include "base/log.h"
#include "fs/fuse/operation.h"

namespace sftpfs::fuse {
namespace {

constexpr int kRequestsPerTurn = 16;

thread_local Channel* t_current = nullptr;

}  // namespace

Channel* Channel::current() { return t_current; }

Channel::Channel(fs::Worker& worker, fs::Filesystem& filesystem, fuse_session* session,
                 std::function<void()> on_progress, std::function<void()> on_gone)
    : worker_(worker),
      filesystem_(filesystem),
      session_(session),
      on_progress_(std::move(on_progress)),
      on_gone_(std::move(on_gone)) {}

Channel::~Channel() {
  SFTPFS_CHECK(operations_.empty());
  std::free(buffer_.mem);  // libfuse's malloc
}

Status Channel::open() {
  const Status added = loop().add_fd(fuse_session_fd(session_), EPOLLIN | EPOLLEXCLUSIVE, *this);
  open_ = added.has_value();
  return added;
}

void Channel::close() {
  if (!open_) return;
  open_ = false;
  loop().remove_fd(fuse_session_fd(session_), *this);
}

void Channel::on_io(std::uint32_t events) {
  static_cast<void>(events);
  for (int i = 0; i < kRequestsPerTurn && open_; ++i) {
    if (!process_one()) break;
  }
  if (open_ && fuse_session_exited(session_) != 0) {
    close();
    on_gone_();
  }
}

bool Channel::process_one() {
  const int size = fuse_session_receive_buf(session_, &buffer_);
  if (size <= 0) {
    if (size < 0 && size != -EAGAIN && size != -EINTR) {
      log_error("reading from the FUSE device: {}", Error::system(-size).describe());
    }
    return false;
  }
  // libfuse does not tell an operation what it was asked for.
  current_request_ = request_info(buffer_.mem, static_cast<std::size_t>(size));
  current_request_.begun = loop().now();
  t_current = this;
  fuse_session_process_buf(session_, &buffer_);
  t_current = nullptr;
  on_progress_();
  return true;
}

std::vector<RequestInfo> Channel::requests() const {
  std::vector<RequestInfo> requests;
  for (const Operation* operation : operations_) requests.push_back(operation->info());
  return requests;
}

std::list<Operation*>::iterator Channel::enter(Operation& operation) {
  under_way_.enter();
  return operations_.insert(operations_.end(), &operation);
}

bool Channel::is_under_way(const Operation& operation) const {
  return std::find(operations_.begin(), operations_.end(), &operation) != operations_.end();
}

void Channel::leave(std::list<Operation*>::iterator position) {
  operations_.erase(position);
  under_way_.leave();
}

runtime::Task<void> Channel::abandon_operations() {
  for (Operation* operation : operations_) {
    operation->context().cancel->cancel(runtime::CancelReason::kShutdown);
  }
  co_await under_way_.drained();
}

void Channel::discard_handle(std::uint64_t handle) {
  runtime::spawn(discard(this, filesystem_.release(unasked_, handle)));
}

void Channel::discard_directory(std::uint64_t handle) {
  runtime::spawn(discard(this, filesystem_.releasedir(unasked_, handle)));
}

runtime::Task<void> Channel::discard(Channel* self, runtime::Task<Status> release) {
  self->under_way_.enter();
  const Status released = co_await std::move(release);
  if (!released) log_debug("discarding a handle: {}", released.error().describe());
  self->under_way_.leave();
}

}  // namespace sftpfs::fuse
