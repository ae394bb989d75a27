// See mount.h.
#include "fs/fuse/mount.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <future>

#include "base/check.h"
#include "base/log.h"
#include "fs/fuse/channel.h"
#include "fs/fuse/device_io.h"
#include "fs/fuse/dispatch.h"
#include "runtime/hop.h"

namespace sftpfs::fuse {
namespace {

// Arguments in the form that libfuse parses; it keeps copies.
class Arguments {
 public:
  explicit Arguments(const std::vector<std::string>& options, bool debug) {
    add("sftpfs");
    if (debug) add("-d");
    for (const std::string& option : options) {
      add("-o");
      add(option.c_str());
    }
  }
  ~Arguments() { fuse_opt_free_args(&args_); }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  fuse_args* get() { return &args_; }

 private:
  void add(const char* word) { SFTPFS_CHECK(fuse_opt_add_arg(&args_, word) == 0); }
  fuse_args args_ = {0, nullptr, 0};
};

runtime::Task<std::vector<RequestInfo>> requests_of(Channel& channel) {
  co_return channel.requests();
}

runtime::Task<void> abandon(Channel& channel, std::promise<void>& done) {
  co_await channel.abandon_operations();
  done.set_value();
}

}  // namespace

void Mount::SessionDeleter::operator()(fuse_session* session) const {
  fuse_session_destroy(session);
}

Mount::Mount(fs::Filesystem& filesystem, MountCallbacks callbacks)
    : filesystem_(filesystem), callbacks_(std::move(callbacks)) {}

Mount::~Mount() {
  SFTPFS_CHECK(!mounted_);
  filesystem_.shared().notifier = &filesystem_.shared().no_kernel;
}

void Mount::attributes_changed(std::uint64_t inode) {
  // A negative offset means attributes only, for which the kernel takes no lock that a request
  // under way could hold.
  const int rc = fuse_lowlevel_notify_inval_inode(session_.get(), inode, -1, 0);
  if (rc != 0 && rc != -ENOENT) {
    log_debug("telling the kernel of changed attributes: {}", Error::system(-rc).describe());
  }
}

Result<std::unique_ptr<Mount>> Mount::create(fs::Filesystem& filesystem,
                                             const std::vector<std::string>& fuse_options,
                                             bool debug, MountCallbacks callbacks) {
  std::unique_ptr<Mount> mount(new Mount(filesystem, std::move(callbacks)));
  Arguments arguments(fuse_options, debug);
  const fuse_lowlevel_ops operations = make_operations(filesystem.shared().options.local_locks);
  mount->session_.reset(
      fuse_session_new(arguments.get(), &operations, sizeof(operations), mount.get()));
  if (!mount->session_) return fail(ErrorCode::kInvalid, "libfuse refused the mount options");
  return mount;
}

Status Mount::mount(const std::string& mountpoint) {
  // libfuse prints the reason of a failure to standard error itself.
  if (fuse_session_mount(session_.get(), mountpoint.c_str()) != 0) {
    return fail(ErrorCode::kUnsupported, "cannot mount on '" + mountpoint + "'");
  }
  mounted_ = true;
  filesystem_.shared().notifier = this;
  Status io = install_device_io(session_.get());
  if (!io) return io;
  const int fd = fuse_session_fd(session_.get());
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail(Error::system(errno, "FUSE device"));
  }
  for (const std::unique_ptr<fs::Worker>& worker : filesystem_.shared().pool.workers()) {
    channels_.push_back(std::make_unique<Channel>(
        *worker, filesystem_, session_.get(), [this] { on_progress(); }, [this] { on_gone(); }));
  }
  for (const std::unique_ptr<Channel>& channel : channels_) {
    std::promise<Status> opened;
    channel->loop().post([&channel, &opened] { opened.set_value(channel->open()); });
    Status status = opened.get_future().get();
    if (!status) return status;
  }
  return {};
}

void Mount::on_progress() {
  // The first request of all is FUSE_INIT.
  if (!serving_.exchange(true, std::memory_order_acq_rel)) callbacks_.on_serving();
}

void Mount::on_gone() {
  if (!gone_.exchange(true, std::memory_order_acq_rel)) callbacks_.on_gone();
}

runtime::Task<std::vector<RequestInfo>> Mount::requests() {
  std::vector<RequestInfo> all;
  for (const std::unique_ptr<Channel>& channel : channels_) {
    const std::vector<RequestInfo> some =
        co_await runtime::run_on(channel->loop(), requests_of(*channel));
    all.insert(all.end(), some.begin(), some.end());
  }
  co_return all;
}

void Mount::unmount() {
  if (!mounted_) return;
  mounted_ = false;
  for (const std::unique_ptr<Channel>& channel : channels_) {
    std::promise<void> closed;
    channel->loop().post([&channel, &closed] {
      channel->close();
      closed.set_value();
    });
    closed.get_future().wait();
  }
  // Operations that cannot be interrupted end with their connection.
  filesystem_.shared().pool.close_sessions();
  for (const std::unique_ptr<Channel>& channel : channels_) {
    std::promise<void> done;
    channel->loop().post([&channel, &done] { runtime::spawn(abandon(*channel, done)); });
    done.get_future().wait();
  }
  detach();
}

void Mount::detach() {
  if (!detach_) {
    fuse_session_unmount(session_.get());
    return;
  }
  // Gone already: what is at the path now is not ours. libfuse looks in the same way, and would
  // unmount by itself; so it is not told, and closes the device with the session.
  pollfd device{fuse_session_fd(session_.get()), 0, 0};
  if (::poll(&device, 1, 0) == 1 && (device.revents & POLLERR) != 0) return;
  const Status detached = detach_();
  if (!detached) log_warning("{}", detached.error().describe());
}

}  // namespace sftpfs::fuse
