// FaultScript: what a faulty_sftp_server does wrong, in memory that a test shares with every
// server of its scene. A change acts at once, on sessions that are open, too.
//
// Ownership: SharedScript owns the file behind it; it outlives the servers.
// Threads:   every member from any process. A test changes it while no request that it concerns is
//            under way, except to let a stuck server go on.
// Limits:    one fault and one place to get stuck at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "hostile/attack.h"
#include "support/deadline.h"
#include "support/temp_dir.h"

namespace sftpfs::test {

// Requests by their number in the protocol; those of extensions by numbers of our own.
enum class Request : std::uint32_t {
  kNone = 0,
  kOpen = 3,
  kClose = 4,
  kRead = 5,
  kWrite = 6,
  kLstat = 7,
  kFstat = 8,
  kReaddir = 12,
  kRemove = 13,
  kStat = 17,
  kFsync = 1000,
  kStatvfs,
  kOther,
  kAny,  // only to get stuck at
};

enum class SftpStatus : std::uint32_t {
  kPermissionDenied = 3,
  kFailure = 4,
  kUnsupported = 8,
  kQuotaExceeded = 15,  // of later drafts, which some servers use in version 3
};

struct FaultScript {
  // From the `first`th request of this kind on, `count` are answered with `status`, not carried
  // out.
  std::atomic<Request> target{Request::kNone};
  std::atomic<std::uint32_t> first{1};
  std::atomic<std::uint32_t> count{1};
  std::atomic<SftpStatus> status{SftpStatus::kFailure};
  std::atomic<std::uint32_t> seen{0};      // of the target's kind
  std::atomic<std::uint32_t> injected{0};  // answers that were faults
  // statvfs says that no block is left.
  std::atomic<bool> disk_is_full{false};
  // What is made of every answer; with `one_victim`, only on the session that is first to answer.
  std::atomic<Attack> attack{Attack::kNone};
  std::atomic<bool> one_victim{false};
  std::atomic<std::int32_t> victim{0};     // the process that serves that session
  std::atomic<std::uint32_t> attacked{0};  // answers
  // The server gets stuck at a request of this kind, and so with all that come behind it; `spared`
  // of them pass before.
  std::atomic<Request> stuck_at{Request::kNone};
  std::atomic<std::uint32_t> spared{0};
  std::atomic<std::uint32_t> holding{0};  // futex: 1 while a server that gets stuck must wait
  std::atomic<std::uint32_t> stuck{0};    // futex: how often one got stuck
};

class SharedScript {
 public:
  SharedScript();
  ~SharedScript();
  SharedScript(const SharedScript&) = delete;
  SharedScript& operator=(const SharedScript&) = delete;

  const std::string& path() const { return path_; }
  FaultScript* operator->() const { return script_; }

  // Answers the `nth` request of a kind from now on with `status`.
  void fail(Request target, std::uint32_t nth, SftpStatus status, bool disk_is_full = false) const;
  // The same for the next `count` of them.
  void fail_next(Request target, std::uint32_t count, SftpStatus status) const;
  void fail_nothing() const { fail(Request::kNone, 1, SftpStatus::kFailure); }
  // The next request of this kind, but for the `spared` first, is not worked on until resume().
  void get_stuck_at(Request target, std::uint32_t spared = 0) const;
  bool wait_stuck(const Deadline& deadline) const;
  void resume() const;

 private:
  TempDir directory_;
  std::string path_;
  FaultScript* script_;
};

// For the server: the script in the file at `path`; a null pointer if it cannot be mapped.
FaultScript* map_script(const char* path);
// For the server: returns when the test lets it go on.
void wait_while_held(FaultScript& script);

}  // namespace sftpfs::test
