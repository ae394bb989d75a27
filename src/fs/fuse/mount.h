// Mount: the kernel's side of one file system: mount(2), the workers' channels, unmounting.
//
//   created ── mount() ──► mounted ── FUSE_INIT ──► serving ──► gone (umount, abort, unmount())
//                                                     │
//                                  on_serving()       └─ on_gone()
//
// Ownership: app/ owns it and the Shared state; it must be destroyed after the worker threads have
//            stopped reading (unmount()) and before the Shared state.
// Threads:   app/'s main thread; the callbacks come on a worker's loop and only post.
// Limits:    one mount for each object.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "fs/filesystem.h"
#include "fs/fuse/request_info.h"
#include "fs/shared.h"

struct fuse_session;

namespace sftpfs::fuse {

class Channel;

struct MountCallbacks {
  std::function<void()> on_serving;  // FUSE_INIT is answered
  std::function<void()> on_gone;     // the kernel has ended the connection
};

class Mount final : public fs::KernelNotifier {
 public:
  // `fuse_options` are the words of fuse's -o ("fsname=...", "allow_other", ...), already escaped.
  static Result<std::unique_ptr<Mount>> create(fs::Filesystem& filesystem,
                                               const std::vector<std::string>& fuse_options,
                                               bool debug, MountCallbacks callbacks);
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  // mount(2), through fusermount3 where we are not root. Workers serve from here on.
  Status mount(const std::string& mountpoint);
  // Takes the mount away (lazily, so that it also works while files are open), ends the waits of
  // all operations and returns when the last has replied. Also after on_gone().
  void unmount();
  // From here on `detach` takes the mount out of sight in unmount(), because this process has given
  // up the right to.
  void detach_with(std::function<Status()> detach) { detach_ = std::move(detach); }
  // What the kernel waits for; hops to every worker.
  runtime::Task<std::vector<RequestInfo>> requests();

 private:
  struct SessionDeleter {
    void operator()(fuse_session* session) const;
  };

  Mount(fs::Filesystem& filesystem, MountCallbacks callbacks);
  void attributes_changed(std::uint64_t inode) override;
  void detach();
  void on_progress();
  void on_gone();

  fs::Filesystem& filesystem_;
  MountCallbacks callbacks_;
  std::function<Status()> detach_;
  std::unique_ptr<fuse_session, SessionDeleter> session_;
  std::vector<std::unique_ptr<Channel>> channels_;
  bool mounted_ = false;
  std::atomic<bool> serving_{false};
  std::atomic<bool> gone_{false};
};

}  // namespace sftpfs::fuse
