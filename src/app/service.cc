// See service.h.
#include "app/service.h"

#include <poll.h>
#include <signal.h>

#include <future>

#include "app/exit_code.h"
#include "app/mount_record.h"
#include "app/mountpoint.h"
#include "app/option_list.h"
#include "app/sandbox.h"
#include "base/log.h"
#include "fs/directory_stream.h"
#include "fs/file_io.h"
#include "runtime/hop.h"
#include "ssh/connect.h"
#include "ssh/threaded_connector.h"

namespace sftpfs::app {

namespace {

// Why the draining ended, for the last line of the log.
std::string reason(const Error& error) {
  if (error.is(ErrorCode::kTimedOut)) return "umount_timeout is over";
  if (error.is(ErrorCode::kCancelled)) return "a second signal ended the waiting";
  return error.describe();
}

}  // namespace

Service::Service(const Config& config, const fs::Options& fs_options,
                 const ssh::Options& ssh_options)
    : config_(config),
      ssh_options_(ssh_options),
      login_(std::make_shared<ssh::Login>()),
      control_(clock_),
      signals_(control_, [this](int signal) { on_signal(signal); }),
      suspends_(control_, [this](Duration slept) { on_resume(slept); }),
      connector_(std::make_shared<ssh::ThreadedConnector>(ssh_options, login_)),
      shared_(fs_options, clock_, connector_),
      filesystem_(shared_),
      control_socket_(control_, config, shared_),
      supervisor_(control_, control_socket_) {}

Service::~Service() {
  if (mount_) mount_->unmount();
  shared_.pool.stop();
  filesystem_.discard_handles();
}

Status Service::connect(ssh::Prompter& prompter) {
  const SignalMask::Pause pause;
  Result<std::unique_ptr<runtime::ByteStream>> stream =
      ssh::connect(ssh_options_, *login_, &prompter, nullptr);
  if (!stream) return fail(stream.error());
  first_stream_ = std::move(*stream);
  return {};
}

Outcome Service::serve(const std::string& mountpoint, Readiness& readiness) {
  const Status watching = watch();
  if (!watching) return Outcome{ExitCode::kSystem, watching.error().describe()};
  shared_.pool.start_threads();
  control_.post([this, &mountpoint, &readiness] { runtime::spawn(run(mountpoint, readiness)); });
  control_.run();
  return outcome_;
}

void Service::pause(std::chrono::milliseconds duration) {
  const SignalMask::Pause pause;
  ::poll(nullptr, 0, static_cast<int>(duration.count()));
}

Outcome Service::check() {
  const Status watching = watch();
  if (!watching) return Outcome{ExitCode::kSystem, watching.error().describe()};
  shared_.pool.start_threads();
  control_.post([this] { runtime::spawn(run_check()); });
  control_.run();
  return outcome_;
}

runtime::Task<void> Service::run_check() {
  const Status started = co_await adopt_and_start();
  if (!started) {
    outcome_.code = exit_code_for(started.error());
    outcome_.message = config_.source.text + ": " + started.error().describe();
  }
  control_.stop();
}

Status Service::watch() {
  const Status signals = signals_.start();
  if (!signals) return signals;
  Result<UniqueFd> alarm = runtime::clock_change_alarm();
  if (!alarm) return fail(alarm.error());
  return suspends_.start(std::move(*alarm));
}

runtime::Task<void> Service::run(std::string mountpoint, Readiness& readiness) {
  Outcome started = co_await start(mountpoint);
  if (started.code != ExitCode::kOk) {
    outcome_ = std::move(started);
    control_.stop();
    co_return;
  }
  while (!serving_ && !ending_) {
    co_await changed_.wait();
  }
  if (serving_) {
    phase_ = Phase::kServing;
    control_socket_.open(*mount_, mountpoint);
    give_up_rights();
    const Status told = readiness.is_ready() ? Status() : readiness.ready();
    if (!told) log_warning("becoming a daemon: {}", told.error().describe());
    supervisor_.ready(config_.foreground);
    log_info("{} is mounted on {}", fsname_of(config_), mountpoint);
  }
  while (!ending_) {
    co_await changed_.wait();
  }
  phase_ = Phase::kEnding;
  control_socket_.set_ending();
  supervisor_.stopping();
  Outcome finished = co_await finish(mountpoint);
  outcome_ = std::move(finished);
  control_.stop();
}

runtime::Task<Outcome> Service::start(std::string mountpoint) {
  Outcome outcome;
  if (config_.lazy_connect) {
    start_lazily();
  } else {
    const Status connected = co_await adopt_and_start();
    if (!connected) {
      outcome.code = exit_code_for(connected.error());
      outcome.message = config_.source.text + ": " + connected.error().describe();
      co_return outcome;
    }
    connected_ = true;
  }
  fuse::MountCallbacks callbacks;
  callbacks.on_serving = [this] {
    control_.post([this] {
      serving_ = true;
      changed_.notify_all();
    });
  };
  callbacks.on_gone = [this] {
    control_.post([this] {
      ending_ = true;
      changed_.notify_all();
    });
  };
  const std::vector<std::string> options = {join_options(fuse_mount_options(config_))};
  Result<std::unique_ptr<fuse::Mount>> mount =
      fuse::Mount::create(filesystem_, options, config_.debug, std::move(callbacks));
  if (!mount) {
    outcome.code = ExitCode::kMountFailure;
    outcome.message = mount.error().describe();
    co_return outcome;
  }
  mount_ = std::move(*mount);
  const Status mounted = mount_->mount(mountpoint);
  if (!mounted) {
    outcome.code = ExitCode::kMountFailure;
    outcome.message = mounted.error().describe();
    co_return outcome;
  }
  const bool placed = mountpoint.starts_with('/') && !mountpoint.starts_with(kDevFd);
  const Status recorded =
      placed ? record_mount(fsname_of(config_), mountpoint, fuse_type(config_)) : Status();
  if (!recorded) log_info("umount will not wait: {}", recorded.error().describe());
  co_return outcome;
}

// Nobody has looked at the directory: whoever uses the mount first does. A path that is not
// absolute is one from the login directory, where a server begins.
void Service::start_lazily() {
  const std::string& directory = config_.source.directory;
  shared_.inodes.set_root_path(directory.empty() ? "." : directory);
  fs::SessionSlot& slot = shared_.pool.first_slot();
  slot.loop().post([this, &slot] {
    slot.open([this] {
      control_.post([this] {
        connected_ = true;
        give_up_rights();
      });
    });
  });
}

runtime::Task<Status> Service::adopt_and_start() {
  fs::SessionSlot& slot = shared_.pool.first_slot();
  runtime::Cancel* cancel = starting_.cancel.get();
  const Status adopted =
      co_await runtime::run_on(slot.loop(), slot.adopt(std::move(first_stream_), cancel));
  if (!adopted) co_return adopted;
  co_return co_await filesystem_.start(starting_);
}

runtime::Task<Outcome> Service::finish(std::string mountpoint) {
  Outcome outcome;
  runtime::Timer deadline(control_);
  deadline.start_after(shared_.live().drain_timeout, [cancel = draining_.cancel] {
    cancel->cancel(runtime::CancelReason::kTimedOut);
  });
  const Status drained = co_await filesystem_.drain(draining_);
  if (!drained) {
    outcome.code = ExitCode::kMountFailure;
    outcome.message = "not all data reached the server: " + reason(drained.error());
  }
  co_await supervisor_.close();
  co_await control_socket_.close();
  mount_->unmount();
  const Status forgotten = confined_ ? Status() : forget_mount_record(mountpoint);
  if (!forgotten) log_info("{}", forgotten.error().describe());
  // libfuse leaves a mount alone whose connection was severed (umount -f while it is busy).
  const Status detached = detach_severed_mount(config_, mountpoint, [this, &mountpoint] {
    return confined_ ? unmounter_->unmount() : detach_mount(mountpoint);
  });
  if (!detached) log_warning("{}", detached.error().describe());
  log_info("{} is unmounted", fsname_of(config_));
  co_return outcome;
}

// ssh(1), if it has turned out to be needed, may have to start anything.
void Service::give_up_rights() {
  if (!unmounter_ || confined_ || !connected_ || phase_ != Phase::kServing) return;
  if (ssh::uses_child(ssh_options_, *login_)) {
    unmounter_.reset();
    return;
  }
  confined_ = true;
  mount_->detach_with([this] { return unmounter_->unmount(); });
  Status restricted = restrict_all_threads();
  if (restricted) restricted = Sandbox::restrict_calls();
  if (!restricted) log_warning("the sandbox lacks something: {}", restricted.error().describe());
}

Status Service::restrict_all_threads() {
  std::vector<std::string> writable;
  if (!control_socket_.directory().empty()) writable.push_back(control_socket_.directory());
  Result<Sandbox> made = Sandbox::create(writable);
  if (!made) return fail(made.error());
  const auto sandbox = std::make_shared<const Sandbox>(std::move(*made));
  for (const std::unique_ptr<fs::Worker>& worker : shared_.pool.workers()) {
    std::promise<Status> done;
    worker->loop().post([&sandbox, &done] { done.set_value(sandbox->restrict_thread()); });
    Status restricted = done.get_future().get();
    if (!restricted) return restricted;
  }
  // It may be connecting: nobody waits for that.
  connector_->run_in_thread([sandbox] {
    const Status restricted = sandbox->restrict_thread();
    if (!restricted) log_warning("the sandbox lacks something: {}", restricted.error().describe());
  });
  return sandbox->restrict_thread();
}

void Service::on_signal(int signal) {
  if (signal == SIGUSR1) {
    log_statistics();
    return;
  }
  if (phase_ == Phase::kStarting) {
    starting_.cancel->cancel(runtime::CancelReason::kInterrupted);
  } else if (stop_asked_) {
    log_info("ending at once, without waiting for unsent data");
    draining_.cancel->cancel(runtime::CancelReason::kInterrupted);
  }
  stop_asked_ = true;
  ending_ = true;
  changed_.notify_all();
}

void Service::on_resume(Duration slept) {
  log_info("the machine was asleep for {:.0f} s; asking the server for a sign of life",
           std::chrono::duration<double>(slept).count());
  shared_.pool.probe_sessions();
}

void Service::log_statistics() const {
  const cache::CacheStats cache = shared_.cache.stats();
  const fs::Counters& counters = shared_.counters;
  log_info(
      "stats: cache_hits={} cache_loads={} cache_waits={} cache_busy={} cache_evictions={} "
      "reads={} reads_from_cache={} reads_around_cache={} readahead_dropped={} writes={} "
      "writes_sent={} write_errors={} stripings={} inodes={} open_files={}",
      cache.hits, cache.loads, cache.waits, cache.busy, cache.evictions, counters.reads.load(),
      counters.reads_from_cache.load(), counters.reads_around_cache.load(),
      counters.readahead_dropped.load(), counters.writes.load(), counters.writes_sent.load(),
      counters.write_errors.load(), counters.stripings.load(), shared_.inodes.size(),
      shared_.files.size());
}

}  // namespace sftpfs::app
