// See loop.h.
#include "runtime/loop.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace sftpfs::runtime {
namespace {

constexpr std::size_t kEventsPerPoll = 64;
// Ready coroutines resumed before descriptors are looked at again.
constexpr std::size_t kResumesPerTurn = 256;

thread_local Loop* t_current = nullptr;

epoll_event make_event(int fd, std::uint32_t serial, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = (static_cast<std::uint64_t>(serial) << 32) | static_cast<std::uint32_t>(fd);
  return event;
}

}  // namespace

class Loop::Current {
 public:
  explicit Current(Loop* loop) : previous_(t_current) { t_current = loop; }
  ~Current() { t_current = previous_; }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  Loop* previous_;
};

Loop* Loop::current() { return t_current; }

Loop::Loop(const Clock& clock)
    : clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_fd_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      events_(kEventsPerPoll) {
  SFTPFS_CHECK(epoll_ && wake_ && timer_fd_);
  for (const int fd : {wake_.get(), timer_fd_.get()}) {
    epoll_event event = make_event(fd, 0, EPOLLIN);
    SFTPFS_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  }
}

Loop::~Loop() { SFTPFS_CHECK(timers_.empty()); }

void Loop::run() {
  const Current current(this);
  while (!stopping_.load(std::memory_order_acquire)) {
    if (turn()) {
      poll(0);
    } else {
      arm_timer_fd();
      poll(-1);
    }
  }
  while (turn()) {
  }
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

bool Loop::run_ready() {
  const Current current(this);
  bool any = false;
  while (true) {
    const bool worked = turn();
    // Simulations have no descriptors, and a system call would cost them more than a turn.
    const bool polled = !registrations_.empty() && poll(0);
    if (!worked && !polled) return any;
    any = true;
  }
}

bool Loop::turn() {
  const bool mail = run_mailbox();
  const bool timers = run_timers();
  const bool ready = run_ready_queue();
  const bool flushed = run_turn_end();
  return mail || timers || ready || flushed;
}

std::optional<TimePoint> Loop::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

void Loop::post(UniqueFunction job) {
  bool must_wake = false;
  {
    const std::lock_guard lock(mailbox_mutex_);
    mailbox_.push_back(std::move(job));
    must_wake = !std::exchange(wake_pending_, true);
  }
  // The loop's own thread looks at the mailbox before it sleeps.
  if (must_wake && t_current != this) wake();
}

void Loop::post_resume(std::coroutine_handle<> handle) {
  post([handle, this] { schedule(handle); });
}

void Loop::wake() {
  const std::uint64_t one = 1;
  // EAGAIN means the counter is full, so the loop wakes up anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

bool Loop::run_mailbox() {
  std::vector<UniqueFunction> jobs;
  {
    const std::lock_guard lock(mailbox_mutex_);
    jobs.swap(mailbox_);
    wake_pending_ = false;
  }
  for (UniqueFunction& job : jobs) job();
  return !jobs.empty();
}

bool Loop::run_timers() {
  if (timers_.empty()) return false;
  const TimePoint now = clock_.now();
  // Timers that callbacks start wait for the next turn: one that starts itself again at once
  // must not keep the loop from its descriptors.
  const std::uint64_t first_new = timer_sequence_;
  bool any = false;
  while (!timers_.empty()) {
    const TimerKey key = timers_.begin()->first;
    if (key.first > now || key.second >= first_new) break;
    Timer* timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->key_.reset();
    // Moved out: the callback may start the timer again or destroy it.
    UniqueFunction callback = std::move(timer->callback_);
    callback();
    any = true;
  }
  return any;
}

bool Loop::run_ready_queue() {
  const std::size_t count = std::min(ready_.size(), kResumesPerTurn);
  for (std::size_t i = 0; i < count; ++i) {
    const std::coroutine_handle<> handle = ready_.front();
    ready_.pop_front();
    handle.resume();
  }
  return count > 0;
}

void Loop::at_turn_end(TurnEndHandler& handler) {
  if (std::find(turn_end_.begin(), turn_end_.end(), &handler) == turn_end_.end()) {
    turn_end_.push_back(&handler);
  }
}

void Loop::forget_turn_end(TurnEndHandler& handler) {
  std::replace(turn_end_.begin(), turn_end_.end(), &handler, static_cast<TurnEndHandler*>(nullptr));
}

bool Loop::run_turn_end() {
  bool any = false;
  const std::size_t count = turn_end_.size();
  // By index: handlers add and forget others meanwhile. Forgotten ones are null.
  for (std::size_t i = 0; i < count; ++i) {
    TurnEndHandler* handler = std::exchange(turn_end_[i], nullptr);
    if (handler == nullptr) continue;
    handler->on_turn_end();
    any = true;
  }
  turn_end_.erase(turn_end_.begin(), turn_end_.begin() + static_cast<std::ptrdiff_t>(count));
  return any;
}

bool Loop::poll(int timeout_ms) {
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  for (int i = 0; i < count; ++i) dispatch(events_[static_cast<std::size_t>(i)]);
  return count > 0;
}

void Loop::dispatch(const epoll_event& event) {
  const int fd = static_cast<int>(event.data.u64 & 0xffffffff);
  const auto serial = static_cast<std::uint32_t>(event.data.u64 >> 32);
  if (serial == 0) {
    std::uint64_t drained = 0;
    [[maybe_unused]] const ssize_t got = ::read(fd, &drained, sizeof(drained));
    if (fd == timer_fd_.get()) armed_for_.reset();
    return;
  }
  const auto found = registrations_.find(fd);
  if (found == registrations_.end() || found->second.serial != serial) return;
  found->second.handler->on_io(event.events);
}

void Loop::arm_timer_fd() {
  const std::optional<TimePoint> deadline = next_deadline();
  // An earlier alarm than needed only costs one empty turn, so it is never moved back.
  if (!deadline || (armed_for_ && *armed_for_ <= *deadline)) return;
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  const auto wait =
      std::chrono::duration_cast<std::chrono::nanoseconds>(*deadline - clock_.now()).count();
  const std::int64_t wait_ns = std::max<std::int64_t>(wait, 1);
  itimerspec spec{};
  spec.it_value.tv_sec = wait_ns / kNsPerSecond;
  spec.it_value.tv_nsec = wait_ns % kNsPerSecond;
  SFTPFS_CHECK(::timerfd_settime(timer_fd_.get(), 0, &spec, nullptr) == 0);
  armed_for_ = deadline;
}

Status Loop::add_fd(int fd, std::uint32_t events, IoHandler& handler) {
  const Registration registration{&handler, next_serial_};
  epoll_event event = make_event(fd, registration.serial, events);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return fail(Error::system(errno, "epoll_ctl"));
  }
  // Serials may come round after 2^32 registrations, but never as 0.
  if (++next_serial_ == 0) next_serial_ = 1;
  registrations_.insert_or_assign(fd, registration);
  return {};
}

Status Loop::modify_fd(int fd, std::uint32_t events, IoHandler& handler) {
  const auto found = registrations_.find(fd);
  if (found == registrations_.end()) return fail(Error::system(ENOENT, "epoll_ctl"));
  epoll_event event = make_event(fd, found->second.serial, events);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return fail(Error::system(errno, "epoll_ctl"));
  }
  found->second.handler = &handler;
  return {};
}

void Loop::remove_fd(int fd, IoHandler& handler) {
  const auto found = registrations_.find(fd);
  if (found == registrations_.end() || found->second.handler != &handler) return;
  registrations_.erase(found);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Timer::start_at(TimePoint when, UniqueFunction callback) {
  cancel();
  callback_ = std::move(callback);
  key_ = Loop::TimerKey(when, loop_.timer_sequence_++);
  loop_.timers_.emplace(*key_, this);
}

void Timer::start_after(Duration delay, UniqueFunction callback) {
  const TimePoint now = loop_.now();
  start_at(delay > TimePoint::max() - now ? TimePoint::max() : now + delay, std::move(callback));
}

void Timer::cancel() {
  if (!key_) return;
  loop_.timers_.erase(*key_);
  key_.reset();
  // Dies as a local: what the callback owns may own this timer.
  const UniqueFunction unused = std::move(callback_);
}

}  // namespace sftpfs::runtime
