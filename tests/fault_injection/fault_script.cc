// See fault_script.h.
#include "fault_injection/fault_script.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>
#include <new>

#include "base/unique_fd.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<Request>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

// std::atomic::wait() is for the threads of one process only.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, const timespec* timeout) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, timeout, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

FaultScript* map_script(const char* path) {
  const UniqueFd file(::open(path, O_RDWR | O_CLOEXEC));
  if (!file) return nullptr;
  void* memory =
      ::mmap(nullptr, sizeof(FaultScript), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  return memory == MAP_FAILED ? nullptr : static_cast<FaultScript*>(memory);
}

void wait_while_held(FaultScript& script) {
  script.stuck.fetch_add(1);
  futex_wake(script.stuck);
  while (script.holding.load() != 0) futex_wait(script.holding, 1, nullptr);
}

SharedScript::SharedScript() : path_(directory_.file("script")) {
  const UniqueFd file(must(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open"));
  must(::ftruncate(file.get(), sizeof(FaultScript)), "ftruncate");
  script_ = map_script(path_.c_str());
  if (script_ == nullptr) throw_errno("mmap");
  new (script_) FaultScript;
}

SharedScript::~SharedScript() {
  resume();
  ::munmap(script_, sizeof(FaultScript));
}

void SharedScript::fail(Request target, std::uint32_t nth, SftpStatus status,
                        bool disk_is_full) const {
  script_->target = Request::kNone;
  script_->first = nth;
  script_->count = 1;
  script_->status = status;
  script_->seen = 0;
  script_->injected = 0;
  script_->disk_is_full = disk_is_full;
  script_->target = target;
}

void SharedScript::fail_next(Request target, std::uint32_t count, SftpStatus status) const {
  fail(Request::kNone, 1, status);
  script_->count = count;
  script_->target = target;
}

void SharedScript::get_stuck_at(Request target, std::uint32_t spared) const {
  script_->spared = spared;
  script_->stuck = 0;
  script_->holding = 1;
  script_->stuck_at = target;
}

bool SharedScript::wait_stuck(const Deadline& deadline) const {
  while (script_->stuck.load() == 0) {
    if (deadline.passed()) return false;
    const int left_ms = deadline.remaining_ms();
    const timespec left{left_ms / 1000, (left_ms % 1000) * 1'000'000L};
    futex_wait(script_->stuck, 0, &left);
  }
  return true;
}

void SharedScript::resume() const {
  script_->stuck_at = Request::kNone;
  script_->holding = 0;
  futex_wake(script_->holding);
}

}  // namespace sftpfs::test
