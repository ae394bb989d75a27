// Report: what a mount tells of itself; the result of the command "report".
//
// Threads: plain values.
// Limits:  counters count from the mount's beginning, those of a session from its connection's.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"

namespace sftpfs::ctl {

struct SessionReport {
  unsigned index = 0;
  unsigned worker = 0;
  std::string state;  // idle, connecting, ready, backing off, closed
  std::uint64_t connections = 0;
  std::string server;
  std::string error;  // why there is no connection
  std::uint64_t requests_in_flight = 0;
  std::uint64_t requests_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  double round_trip_ms = 0;  // 0: not known yet
  double silent_s = 0;       // since the server was last heard
};

struct CacheReport {
  std::uint64_t block_size_bytes = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_used = 0;
  std::uint64_t blocks_pinned = 0;
  std::uint64_t hits = 0;
  std::uint64_t loads = 0;
  std::uint64_t waits = 0;
  std::uint64_t busy = 0;
  std::uint64_t evictions = 0;
};

struct CounterReport {
  std::uint64_t operations = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t reads = 0;
  std::uint64_t reads_from_cache = 0;
  std::uint64_t reads_around_cache = 0;
  std::uint64_t readahead_dropped = 0;
  std::uint64_t writes = 0;
  std::uint64_t writes_sent = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t lanes_opened = 0;
  std::uint64_t stripings = 0;
  std::uint64_t changes_refused = 0;
};

struct Report {
  std::string version;
  std::int64_t pid = 0;
  std::uint64_t uid = 0;
  std::string source;
  std::string mountpoint;
  std::string transport;
  std::string remote_directory;
  std::string state;    // connected, waiting (for the server), ending
  std::string message;  // why it waits
  double uptime_s = 0;
  std::uint64_t dirty_bytes = 0;  // written here and not yet on the server
  std::uint64_t dirty_bytes_max = 0;
  std::uint64_t unsent_changes = 0;  // of names and attributes, answered and not yet on the server
  double umount_timeout_s = 30;      // how long unmounting waits for those
  std::uint64_t open_files = 0;
  std::uint64_t open_directories = 0;
  std::uint64_t inodes = 0;
  std::uint64_t operations_in_flight = 0;
  CacheReport cache;
  CounterReport counters;
  std::vector<SessionReport> sessions;
};

// One request of the kernel that has no answer yet; the command "ops" lists them.
struct OperationReport {
  std::string name;  // "READ"
  std::string path;  // on the server; of the directory for operations on names
  std::uint64_t inode = 0;
  std::uint64_t pid = 0;
  std::uint64_t uid = 0;
  double age_s = 0;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SessionReport, index, worker, state, connections,
                                                server, error, requests_in_flight, requests_sent,
                                                bytes_sent, bytes_received, round_trip_ms, silent_s)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CacheReport, block_size_bytes, blocks, blocks_used,
                                                blocks_pinned, hits, loads, waits, busy, evictions)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CounterReport, operations, bytes_read,
                                                bytes_written, reads, reads_from_cache,
                                                reads_around_cache, readahead_dropped, writes,
                                                writes_sent, write_errors, lanes_opened, stripings,
                                                changes_refused)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Report, version, pid, uid, source, mountpoint,
                                                transport, remote_directory, state, message,
                                                uptime_s, dirty_bytes, dirty_bytes_max,
                                                unsent_changes, umount_timeout_s, open_files,
                                                open_directories, inodes, operations_in_flight,
                                                cache, counters, sessions)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(OperationReport, name, path, inode, pid, uid, age_s)

// Whether every fraction in `value` fits into any member of a report.
bool numbers_fit(const nlohmann::json& value);

// What a peer sent may be of any shape: kProtocol when it is not a T's.
template <class T>
Result<T> read_as(const nlohmann::json& value) {
  if (!numbers_fit(value)) return fail(ErrorCode::kProtocol, "a number beyond all bounds");
  try {
    return value.get<T>();
  } catch (const nlohmann::json::exception& wrong) {
    return fail(ErrorCode::kProtocol, wrong.what());
  }
}

}  // namespace sftpfs::ctl
