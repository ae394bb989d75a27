// See control.h.
#include "app/control.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/remount.h"
#include "app/translate.h"
#include "base/log.h"
#include "base/printable.h"
#include "ctl/mount_table.h"
#include "ctl/rendezvous.h"
#include "fs/directory_stream.h"
#include "fs/file_io.h"
#include "fs/fuse/request_info.h"
#include "runtime/hop.h"
#include "runtime/wait_list.h"

#ifndef SFTPFS_VERSION
#error "the build defines SFTPFS_VERSION"
#endif

namespace sftpfs::app {
namespace {

constexpr std::array<std::pair<const char*, LogLevel>, 6> kLevels = {
    {{"trace", LogLevel::kTrace},
     {"debug", LogLevel::kDebug},
     {"info", LogLevel::kInfo},
     {"warning", LogLevel::kWarning},
     {"error", LogLevel::kError},
     {"off", LogLevel::kOff}}};

constexpr Duration kNewsInterval = std::chrono::milliseconds(500);
// More would not fit on any screen, and not into a reply.
constexpr std::size_t kOperationsShown = 2000;
constexpr int kDirectoryAttempts = 3;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

runtime::Task<std::uint64_t> dirty_of(fs::Worker& worker) {
  co_return worker.dirty_bytes().in_use();
}

runtime::Task<ctl::SessionReport> session_of(fs::SessionSlot& slot) {
  sftp::Session& session = slot.session();
  ctl::SessionReport report;
  report.index = slot.index();
  report.worker = slot.worker().index();
  report.state = sftp::session_state_name(session.state());
  report.connections = session.epoch();
  if (session.last_error()) report.error = session.last_error()->describe();
  if (const fs::ClientRef client = session.current()) {
    const sftp::ClientStats& stats = client->stats();
    report.server = client->description();
    report.requests_in_flight = stats.requests_in_flight;
    report.requests_sent = stats.requests_sent;
    report.bytes_sent = stats.bytes_sent;
    report.bytes_received = stats.bytes_received;
    report.round_trip_ms = seconds(client->link().round_trip) * 1000;
    report.silent_s = seconds(slot.loop().now() - client->last_heard());
  }
  co_return report;
}

ctl::CacheReport cache_of(const cache::BlockCache& cache) {
  const cache::CacheStats stats = cache.stats();
  ctl::CacheReport report;
  report.block_size_bytes = cache.config().slot_size_bytes;
  report.blocks = cache.config().slot_count;
  report.blocks_used = stats.slots_used;
  report.blocks_pinned = stats.slots_pinned;
  report.hits = stats.hits;
  report.loads = stats.loads;
  report.waits = stats.waits;
  report.busy = stats.busy;
  report.evictions = stats.evictions;
  return report;
}

ctl::CounterReport counters_of(const fs::Counters& counters) {
  ctl::CounterReport report;
  report.operations = counters.operations.load();
  report.bytes_read = counters.bytes_read.load();
  report.bytes_written = counters.bytes_written.load();
  report.reads = counters.reads.load();
  report.reads_from_cache = counters.reads_from_cache.load();
  report.reads_around_cache = counters.reads_around_cache.load();
  report.readahead_dropped = counters.readahead_dropped.load();
  report.writes = counters.writes.load();
  report.writes_sent = counters.writes_sent.load();
  report.write_errors = counters.write_errors.load();
  report.lanes_opened = counters.lanes_opened.load();
  report.stripings = counters.stripings.load();
  return report;
}

}  // namespace

Control::Control(runtime::Loop& loop, const Config& config, fs::Shared& shared)
    : loop_(loop), config_(config), shared_(shared), begun_(loop.now()), server_(loop, *this) {}

void Control::open(fuse::Mount& mount, const std::string& mountpoint) {
  mount_ = &mount;
  mountpoint_ = mountpoint;
  Status opened;
  // Another mount of the same user, ending just now, may take the directory away in between.
  for (int attempt = 0; attempt < kDirectoryAttempts; ++attempt) {
    const Result<std::string> directory = ctl::server_directory();
    opened =
        directory ? server_.open(socket_path(mountpoint, *directory)) : fail(directory.error());
    if (opened) {
      directory_ = *directory;
      return;
    }
  }
  log_info("no control socket: {}", opened.error().describe());
}

std::string Control::socket_path(const std::string& mountpoint,
                                 const std::string& directory) const {
  const Result<std::vector<ctl::MountEntry>> table = ctl::read_mount_table();
  const auto entry = table ? ctl::find_mount(*table, mountpoint) : std::nullopt;
  // What is behind /dev/fd/N may be mounted where we cannot see it.
  const std::string name = entry ? entry->device : fmt::format("pid:{}", ::getpid());
  return directory + "/" + ctl::socket_name(name);
}

runtime::Task<void> Control::close() {
  server_.close();
  if (!directory_.empty()) ctl::leave_server_directory(directory_);
  co_await server_.drained();
}

runtime::Task<ctl::Answer> Control::handle(ctl::Request request, ctl::Progress& progress,
                                           std::shared_ptr<runtime::Cancel> cancel) {
  const std::string command = request.text("command");
  if (command == "report") {
    const ctl::Report found = co_await report();
    co_return nlohmann::json(found);
  }
  if (command == "ops") {
    co_return co_await list_operations();
  }
  if (command == "flush") {
    co_return co_await flush(progress, cancel);
  }
  if (command == "reconnect") co_return reconnect();
  if (command == "drop-caches") co_return drop_caches();
  if (command == "options") {
    const nlohmann::json given = {{"options", line_of(config_.words)}};
    co_return given;
  }
  if (command == "remount") {
    co_return remount(request.text("options"), request.text("only") == "check");
  }
  if (command == "loglevel") co_return set_log_level(request.text("level"));
  co_return fail(ErrorCode::kInvalid, fmt::format("unknown command '{}'", command));
}

runtime::Task<ctl::Report> Control::report() {
  ctl::Report report;
  report.version = SFTPFS_VERSION;
  report.pid = ::getpid();
  report.uid = ::geteuid();
  report.source = fsname_of(config_);
  report.mountpoint = mountpoint_;
  report.transport = config_.transport == Transport::kSsh ? "ssh" : "libssh2";
  report.remote_directory = shared_.inodes.root_path();
  report.uptime_s = seconds(loop_.now() - begun_);
  report.dirty_bytes_max = shared_.live().dirty_bytes_max;
  report.umount_timeout_s = seconds(shared_.live().drain_timeout);
  report.open_files = shared_.files.size();
  report.open_directories = shared_.directories.size();
  report.inodes = shared_.inodes.size();
  report.cache = cache_of(shared_.cache);
  report.counters = counters_of(shared_.counters);
  const std::uint64_t unsent_bytes = co_await dirty_bytes();
  report.unsent_changes = shared_.journal.pending();
  report.counters.changes_refused = shared_.journal.refused();
  report.dirty_bytes = unsent_bytes;
  bool connected = false;
  for (const std::unique_ptr<fs::SessionSlot>& slot : shared_.pool.slots()) {
    const ctl::SessionReport session = co_await runtime::run_on(slot->loop(), session_of(*slot));
    connected = connected || !session.server.empty();
    if (report.message.empty()) report.message = session.error;
    report.sessions.push_back(session);
  }
  const std::vector<fuse::RequestInfo> requests = co_await mount_->requests();
  report.operations_in_flight = requests.size();
  report.state = ending_ ? "ending" : connected ? "connected" : "waiting";
  if (connected) report.message.clear();
  co_return report;
}

runtime::Task<ctl::Answer> Control::list_operations() {
  std::vector<fuse::RequestInfo> requests = co_await mount_->requests();
  std::sort(requests.begin(), requests.end(),
            [](const auto& left, const auto& right) { return left.begun < right.begun; });
  if (requests.size() > kOperationsShown) requests.resize(kOperationsShown);
  nlohmann::json list = nlohmann::json::array();
  for (const fuse::RequestInfo& request : requests) {
    ctl::OperationReport operation;
    operation.name = fuse::opcode_name(request.opcode);
    operation.inode = request.inode;
    operation.pid = request.pid;
    operation.uid = request.uid;
    operation.age_s = seconds(loop_.now() - request.begun);
    if (const fs::InodeRef inode = shared_.inodes.find(request.inode)) {
      operation.path = shared_.inodes.path(*inode).value_or("");
    }
    list.push_back(operation);
  }
  co_return list;
}

runtime::Task<std::uint64_t> Control::dirty_bytes() {
  std::uint64_t bytes = 0;
  for (const std::unique_ptr<fs::Worker>& worker : shared_.pool.workers()) {
    const std::uint64_t here = co_await runtime::run_on(worker->loop(), dirty_of(*worker));
    bytes += here;
  }
  co_return bytes;
}

runtime::Task<void> Control::tell_backlog(ctl::Progress& progress,
                                          std::shared_ptr<runtime::Cancel> until,
                                          runtime::Gate& gate) {
  while (!until->cancelled()) {
    const std::uint64_t bytes = co_await dirty_bytes();
    const nlohmann::json news = {{"dirty_bytes", bytes},
                                 {"unsent_changes", shared_.journal.pending()}};
    progress.say(news);
    const Status slept = co_await runtime::sleep_for(kNewsInterval, until.get());
    if (!slept) break;
  }
  gate.leave();
}

// Errors of writes are left to the applications: whoever wrote is told at his next fsync or close.
runtime::Task<ctl::Answer> Control::flush(ctl::Progress& progress,
                                          std::shared_ptr<runtime::Cancel> cancel) {
  const auto finished = runtime::Cancel::create();
  runtime::Gate telling;
  telling.enter();
  runtime::spawn(tell_backlog(progress, finished, telling));
  Status result;
  for (const fs::OpenFileRef& file : shared_.files.all()) {
    if (!file->writable) continue;
    const std::shared_ptr<fs::FileIo> io = file->io;
    const Status sent = co_await runtime::run_on(io->home(), io->drain(cancel.get()));
    if (!sent && result) result = sent;
  }
  const Status made = co_await shared_.journal.settled(cancel.get());
  if (!made && result) result = made;
  finished->cancel(runtime::CancelReason::kShutdown);
  co_await telling.drained();
  if (!result) co_return fail(result.error());
  const std::uint64_t left = co_await dirty_bytes();
  const nlohmann::json answer = {{"dirty_bytes", left},
                                 {"write_errors", shared_.counters.write_errors.load()}};
  co_return answer;
}

ctl::Answer Control::reconnect() {
  log_info("reconnecting, as asked for at the control socket");
  shared_.pool.reconnect_sessions("a new connection was asked for");
  return nlohmann::json::object();
}

void Control::forget(fs::Inode& inode) {
  inode.expire();
  if (S_ISDIR(inode.type())) {
    inode.listing_changed();  // what was read ahead of it, too
    shared_.listings.drop(inode);
  }
  shared_.notifier->attributes_changed(inode.id());
}

ctl::Answer Control::drop_caches() {
  const std::vector<fs::InodeRef> inodes = shared_.inodes.all();
  for (const fs::InodeRef& inode : inodes) {
    // The kernel's pages go when the file is opened the next time: taking them away now would wait
    // for reads under way.
    inode->new_generation();
    forget(*inode);
  }
  log_info("caches of {} files and directories dropped", inodes.size());
  return nlohmann::json{{"inodes", inodes.size()}};
}

ctl::Answer Control::remount(const std::string& words, bool only_check) {
  const Result<std::vector<MountOption>> options = split_options(words);
  if (!options) return fail(options.error());
  Result<Config> next = remounted(config_, *options);
  if (!next) return fail(next.error());
  if (only_check) return nlohmann::json::object();
  const fs::LiveOptions live = fs_options(*next, 1);
  const bool other = live != shared_.live();
  if (!shared_.live_setting.set(live)) {
    return fail(ErrorCode::kBusy, "remounted too often; unmount and mount again");
  }
  if (next->log_level) log_set_level(*next->log_level);
  if (!next->log_level) next->log_level = config_.log_level;
  config_ = std::move(*next);
  log_info("remounted with {}", printable(words));
  // What is believed for the time that was right before.
  if (other) {
    for (const fs::InodeRef& inode : shared_.inodes.all()) forget(*inode);
  }
  return nlohmann::json::object();
}

ctl::Answer Control::set_log_level(const std::string& level) {
  for (const auto& [name, value] : kLevels) {
    if (level != name) continue;
    log_set_level(value);
    log_info("log level {}", level);
    return nlohmann::json{{"level", level}};
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("'{}' is none of: trace, debug, info, warning, error, off", level));
}

}  // namespace sftpfs::app
