// What a mount was asked to do, as far as the file system is concerned. app/ fills it.
//
// Threads: plain values. Of a mount that serves, FixedOptions are immutable and LiveOptions behind
// a
//          LiveSetting.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

#include "fs/id_map.h"
#include "fs/link_target.h"
#include "fs/live_options.h"

namespace sftpfs::fs {

// What is on the server when a call returns; see docs/SEMANTICS.md.
enum class Durability : std::uint8_t {
  kClose,  // names at once, content when the file is closed
  kFsync   // both when they are synced; what is certain to succeed is answered at once
};

// What stays as it is as long as the mount lasts.
struct FixedOptions {
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
  // Of one connection, for big uploads.
  unsigned max_channels = 8;

  std::size_t cache_size_bytes = 64 << 20;
  std::size_t block_size_bytes = 128 << 10;

  // Big transfers are spread over sessions (lane.h) where a round trip takes so long, after so many
  // bytes, in pieces that end at multiples of stripe_bytes.
  Duration stripe_round_trip_min = std::chrono::milliseconds(2);
  std::uint64_t stripe_after_bytes = 4 << 20;
  std::size_t stripe_bytes = 1 << 20;
  bool stripe_always = false;  // wherever it is possible: tests

  // Small files are fetched before they are asked for where a round trip takes so long.
  Duration prefetch_round_trip_min = std::chrono::milliseconds(1);
  // What complete listings may take, of all directories together.
  std::size_t listing_bytes_max = 16 << 20;

  // What the names of one open directory may take: about seven million of them. A malicious server
  // might never come to an end.
  std::size_t open_directory_bytes_max = std::size_t{1} << 30;

  bool async_reads = false;  // the kernel reads ahead without waiting, in D state
  Durability durability = Durability::kClose;

  // Liveness of a silent session.
  Duration ping_interval = std::chrono::seconds(15);
  unsigned ping_count_max = 3;
  // How long a new stream may take until the server speaks SFTP on it.
  Duration greeting_timeout = std::chrono::seconds(30);
};

// What a mount starts with.
struct Options : FixedOptions, LiveOptions {};

}  // namespace sftpfs::fs
