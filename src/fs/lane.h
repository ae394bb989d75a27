// Lane: one more handle of an open file, in another conversation of the same loop; Striping: what
// a FileIo knows of its lanes and of where its requests go.
//
// A channel of OpenSSH carries at most 2 MiB a round trip, whatever the client does. So a big
// transfer over a long link is spread over several: for writing over the siblings of the home's
// client (siblings.h), where there are such, else over other sessions. Order is kept in spite of
// that: requests go by offset, split at fixed bounds, so overlapping writes always meet on one
// channel; and whatever else must come behind the writes waits until all of them are answered.
//
//              a stream is worth it, lanes are open
//     home ------------------------------------------> turning: nothing new is sent until
//      ^ ^                                              |   |   every write is answered; then
//      | +----------- a lane is not the same file ------+   |   each lane is compared
//      |                                                    v
//      +--- turning (as above) <--- anything else is --- striped
//                                   wanted, or lost
//
// Ownership: FileIo; a Lane closes its handle when the last request on it has ended.
// Threads:   the home loop; a Lane may die on any.
// Limits:    lanes only on the home's own loop; none for files that are appended to.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "fs/open_file.h"
#include "fs/worker.h"
#include "runtime/wait_list.h"
#include "sftp/client.h"

namespace sftpfs::fs {

struct Lane {
  Lane(SessionSlot& in, ClientRef opener, sftp::Handle opened)
      : slot(in), client(std::move(opener)), handle(std::move(opened)) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane();

  SessionSlot& slot;
  ClientRef client;
  const sftp::Handle handle;
};
using LaneRef = std::shared_ptr<Lane>;

// Where a lane can be opened.
struct Way {
  SessionSlot* slot;
  ClientRef client;
};

enum class Routing : std::uint8_t { kHome, kTurning, kStriped };

struct Striping {
  Routing routing = Routing::kHome;
  bool to_lanes = false;     // where kTurning leads
  bool finishing = false;    // a coroutine is at it
  bool resend = false;       // a lane was lost with writes: everything goes again, over the home
  bool opening = false;      // lanes are being opened
  unsigned in_flight = 0;    // writes sent and not answered, over the home and over lanes
  unsigned wanted_home = 0;  // operations that wait for the home

  // The descriptor whose stream is spread, and its lanes. For reading they have been compared with
  // the home's handle when they were opened; for writing they are at each turn to them.
  std::weak_ptr<OpenFile> file;
  std::vector<LaneRef> lanes;
  bool for_writing = false;
  std::uint64_t generation = 0;  // of the content when they were compared
  std::size_t lanes_used = 0;    // since the last turn to them

  std::uint64_t moved_bytes = 0;  // of the stream, since it began or was interrupted
  std::uint64_t next_look = 0;    // how many must have moved before lanes are opened again
  // The last turn to the lanes: when it was, and how many had been answered.
  TimePoint striped_at{};
  std::uint64_t answered_when_striped = 0;
  runtime::WaitList turned;
  runtime::WaitList landed;  // in_flight is 0

  void forget() {
    lanes.clear();
    lanes_used = 0;
    moved_bytes = 0;
    next_look = 0;
  }
};

}  // namespace sftpfs::fs
