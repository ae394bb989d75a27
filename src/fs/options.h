// What a mount was asked to do, as far as the file system is concerned. app/ fills it.
//
// Threads: immutable after start.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

#include "fs/id_map.h"
#include "fs/link_target.h"

namespace sftpfs::fs {

// What is on the server when a call returns; see docs/SEMANTICS.md.
enum class Durability : std::uint8_t {
  kClose,  // names at once, content when the file is closed
  kFsync   // both when they are synced; what is certain to succeed is answered at once
};

struct Options {
  // The directory on the server that is shown; empty: the login directory.
  std::string remote_directory;

  // Shown in place of the server's values.
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint32_t> umask;
  IdRules ids;

  bool follow_links = false;  // show what a link leads to in its place
  LinkRules links;
  bool hard_links = true;

  // A session of root's gives new objects to their callers; others cannot.
  bool give_to_creator = false;
  // Else flock(2) and fcntl(2) say ENOLCK. Locks hold on this machine only.
  bool local_locks = true;

  // Worker threads and sessions in all; there is at least one session for each worker.
  unsigned workers = 1;
  unsigned max_conns = 4;

  std::size_t cache_size_bytes = 64 << 20;
  std::size_t block_size_bytes = 128 << 10;
  // Upper bounds; what is used follows the measured bandwidth-delay product.
  std::size_t readahead_bytes_max = 32 << 20;
  std::size_t dirty_bytes_max = 16 << 20;

  // Big transfers are spread over sessions (lane.h) where a round trip takes so long, after so many
  // bytes, in pieces that end at multiples of stripe_bytes.
  Duration stripe_round_trip_min = std::chrono::milliseconds(2);
  std::uint64_t stripe_after_bytes = 4 << 20;
  std::size_t stripe_bytes = 1 << 20;
  bool stripe_always = false;  // wherever it is possible: tests

  // How long attributes and listings are believed here: a tenth of the time that the object has not
  // changed for, within these bounds, as NFS has it (acmin, acmax). Zero: not at all.
  Duration attr_lifetime = std::chrono::seconds(3);
  Duration attr_lifetime_max = std::chrono::seconds(20);
  // How long the kernel may keep them and names.
  double kernel_attr_timeout_s = 1.0;
  double kernel_entry_timeout_s = 1.0;
  double kernel_negative_timeout_s = 0.0;

  // How long a listing tells that a name is not there: others make files, too, and whoever is told
  // of one looks for it at once.
  Duration absent_lifetime = std::chrono::seconds(1);
  // Whether open(2) always asks the server what is there now. Else, while the attributes of a file
  // are believed and its content is cached, it is opened without asking; and a listing tells of
  // every name that it is not there, whoever has asked for it.
  bool close_to_open = true;
  // Whether a directory that was read is shown from memory when it is opened again.
  bool listings_serve_opendir = false;
  // Small files are fetched before they are asked for where a round trip takes so long.
  Duration prefetch_round_trip_min = std::chrono::milliseconds(1);
  // What complete listings may take, of all directories together.
  std::size_t listing_bytes_max = 16 << 20;

  // What the names of one open directory may take: about seven million of them. A malicious server
  // might never come to an end.
  std::size_t open_directory_bytes_max = std::size_t{1} << 30;

  bool direct_io = false;     // no page cache
  bool kernel_cache = false;  // never drop the page cache at open
  bool async_reads = false;   // the kernel reads ahead without waiting, in D state
  bool sync_writes = false;   // write(2) waits for the server
  Durability durability = Durability::kClose;

  // Soft mounts: how long an operation may take before it fails with ETIMEDOUT.
  std::optional<Duration> operation_timeout;

  // Liveness of a silent session.
  Duration ping_interval = std::chrono::seconds(15);
  unsigned ping_count_max = 3;
  // How long a new stream may take until the server speaks SFTP on it.
  Duration greeting_timeout = std::chrono::seconds(30);
  // How long unsent data may take to reach the server at unmount.
  Duration drain_timeout = std::chrono::seconds(30);
};

}  // namespace sftpfs::fs
