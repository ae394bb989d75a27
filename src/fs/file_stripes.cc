// FileIo: big transfers spread over several sessions. See lane.h for the states and the reasons.
#include <algorithm>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/file_io.h"

namespace sftpfs::fs {
namespace {

// What a channel carries in a round trip when its window, of 2 MiB, is what bounds it: nearly all
// of that, for the window is granted anew piecemeal.
constexpr double kWindowBoundMin = 1.2 * (1 << 20);
constexpr double kWindowBoundMax = 3.0 * (1 << 20);

// What a channel carries in a round trip at most.
constexpr double kWindowBytes = 2.0 * (1 << 20);
// Lanes for writing at first: at least so many, and as many as a link of 1 Gbit/s needs. More cost
// the server more, so they have to be needed.
constexpr std::size_t kLanesAtFirst = 3;
constexpr double kUsualBytesPerS = 125e6;
// So many round trips show how fast lanes are.
constexpr int kProvingRoundTrips = 3;

// What a lane shows of its file.
struct LaneLook {
  std::vector<std::byte> bytes;
  sftp::Call<sftp::Attrs> attrs;
  sftp::Call<std::size_t> read;
};

LaneLook look_at(const Lane& lane, const ContentSample& sample) {
  std::vector<std::byte> bytes(sample.bytes.size());
  const std::uint64_t end = sample.offset + bytes.size();
  sftp::Call<sftp::Attrs> attrs = lane.client->fstat(lane.handle);
  sftp::Call<std::size_t> read =
      lane.client->read(lane.handle, sample.offset, bytes, end, sftp::Queue::kMetadata);
  // The bytes stay where they are when their vector moves.
  return LaneLook{std::move(bytes), std::move(attrs), std::move(read)};
}

std::size_t lanes_at_first(Duration round_trip) {
  const double in_flight = std::chrono::duration<double>(round_trip).count() * kUsualBytesPerS;
  return std::max(kLanesAtFirst, static_cast<std::size_t>(in_flight / kWindowBytes));
}

}  // namespace

Lane::~Lane() {
  const auto close = [](sftp::Client& opener, const sftp::Handle& opened) {
    opener.close(opened, sftp::Queue::kBulk).forget();
  };
  if (&slot.loop() == runtime::Loop::current()) {
    close(*client, handle);
    return;
  }
  slot.loop().post([close, last = std::move(client), number = handle] { close(*last, number); });
}

// --- When ---------------------------------------------------------------------------------------

bool FileIo::far_enough(const OpenFile& file) const {
  const FixedOptions& options = shared_.options;
  const bool fits = options.block_size_bytes <= options.stripe_bytes;
  if (!fits || file.append || shared_.live().sync_writes) return false;
  if (resizing_ > 0 || !is_live()) return false;
  const bool ways =
      options.max_conns > 1 || (options.max_channels > 1 && client_->may_have_siblings());
  if (!ways) return false;
  return options.stripe_always || client_->link().round_trip >= options.stripe_round_trip_min;
}

bool FileIo::may_stripe(const OpenFile& file, bool writing) const {
  if (!far_enough(file)) return false;
  if (shared_.options.stripe_always) return true;
  const sftp::LinkEstimate link = client_->link();
  const double per_round_trip =
      std::chrono::duration<double>(link.round_trip).count() *
      static_cast<double>(writing ? link.send_bytes_per_s : link.receive_bytes_per_s);
  // Less: the link itself is the limit. More (reading over libssh2): nothing is.
  return per_round_trip >= kWindowBoundMin && (writing || per_round_trip <= kWindowBoundMax);
}

void FileIo::stream_moves(const OpenFileRef& file, std::size_t bytes, bool writing) {
  Striping& stripes = striping_;
  if (stripes.file.lock() != file || stripes.for_writing != writing) {
    if (stripes.routing != Routing::kHome || stripes.opening) return;
    stripes.forget();
    stripes.file = file;
    stripes.for_writing = writing;
  }
  stripes.moved_bytes += bytes;
  const std::uint64_t enough = shared_.options.stripe_after_bytes;
  // Connecting takes long: begun as soon as this may become a long stream.
  if (stripes.moved_bytes >= enough / 8 && far_enough(*file)) make_ways(*file, writing);
  if (stripes.moved_bytes < enough) return;
  drop_dead_lanes();
  // Turning costs two round trips: worth it for twice as many ways.
  const bool more_lanes = stripes.lanes.size() > 2 * stripes.lanes_used;
  if (writing && more_lanes && !stripes.opening && stripes.wanted_home == 0 &&
      stripes.routing != Routing::kTurning && resizing_ == 0) {
    turn(true);
    return;
  }
  const Siblings* siblings = slot_.siblings();
  const bool more_to_come = writing && siblings != nullptr && siblings->growing();
  if (stripes.opening || more_to_come || stripes.moved_bytes < stripes.next_look) return;
  if (stripes.lanes.empty() && !may_stripe(*file, writing)) return;
  stripes.next_look = stripes.moved_bytes + enough;
  runtime::spawn(open_lanes(shared_from_this(), file));
}

// --- Opening lanes ------------------------------------------------------------------------------

// Whether the lanes carry as much as they can, so that more of them would carry more.
bool FileIo::lanes_are_full() const {
  const Duration round_trip = client_->link().round_trip;
  const Duration elapsed = shared_.clock.now() - striping_.striped_at;
  if (striping_.routing != Routing::kStriped || elapsed < kProvingRoundTrips * round_trip) {
    return false;
  }
  const double round_trips = std::chrono::duration<double>(elapsed) / round_trip;
  const auto moved = static_cast<double>(answered_bytes() - striping_.answered_when_striped);
  const auto ways = static_cast<double>(striping_.lanes_used + 1);
  return moved / round_trips / ways >= kWindowBoundMin;
}

std::uint64_t FileIo::answered_bytes() const {
  const std::uint64_t waiting = slot_.worker().dirty_bytes().in_use();
  return striping_.moved_bytes - std::min(striping_.moved_bytes, waiting);
}

void FileIo::make_ways(const OpenFile& file, bool writing) {
  const std::size_t lanes_max = shared_.options.max_channels - 1;
  Siblings* siblings = writing && lanes_max > 0 ? slot_.siblings() : nullptr;
  if (siblings == nullptr || !siblings->possible()) return shared_.pool.grow();
  const bool more = shared_.options.stripe_always ? may_stripe(file, writing) : lanes_are_full();
  const std::size_t at_first = lanes_at_first(client_->link().round_trip);
  siblings->grow(more ? lanes_max : std::min(at_first, lanes_max));
}

std::vector<Way> FileIo::ways_without_lane() const {
  std::vector<Way> found;
  const auto add = [&](SessionSlot& slot, const ClientRef& client) {
    const auto taken = [&client](const LaneRef& lane) { return lane->client == client; };
    const std::vector<LaneRef>& lanes = striping_.lanes;
    if (std::any_of(lanes.begin(), lanes.end(), taken)) return;
    found.push_back(Way{&slot, client});
  };
  Siblings* siblings = striping_.for_writing ? slot_.siblings() : nullptr;
  if (siblings != nullptr) {
    for (const ClientRef& sibling : siblings->all()) add(slot_, sibling);
    if (siblings->possible()) return found;
  }
  for (const std::unique_ptr<SessionSlot>& slot : shared_.pool.slots()) {
    const bool usable = slot.get() != &slot_ && &slot->loop() == &home() && slot->ready() &&
                        slot->session().current() != nullptr;
    if (usable) add(*slot, slot->session().current());
  }
  return found;
}

// Other sessions may be silent for a long time: meanwhile the file may be closed, and its handle
// with it.
runtime::Task<void> FileIo::open_lanes(std::shared_ptr<FileIo> self, OpenFileWeak file) {
  Striping& stripes = self->striping_;
  stripes.opening = true;
  const std::vector<Way> ways = self->ways_without_lane();
  const bool writing = stripes.for_writing;
  std::vector<LaneRef> opened = co_await self->open_handles(ways, file, writing);
  bool same = !opened.empty();
  // What is written is compared when the writes have been answered.
  if (same && !stripes.for_writing) {
    const std::uint64_t accepted = self->accepted_;
    const std::uint64_t generation = self->inode_->generation();
    bool compared = co_await self->lanes_are_the_file(file, opened);
    same = compared && self->clean() && self->accepted_ == accepted &&
           self->inode_->generation() == generation;
    stripes.generation = generation;
  }
  stripes.opening = false;
  const OpenFileRef still = file.lock();
  if (!same || !still || stripes.file.lock() != still || !self->is_live()) co_return;
  for (LaneRef& lane : opened) stripes.lanes.push_back(std::move(lane));
  self->shared_.counters.lanes_opened.fetch_add(opened.size(), std::memory_order_relaxed);
}

runtime::Task<std::vector<LaneRef>> FileIo::open_handles(std::vector<Way> ways, OpenFileWeak file,
                                                         bool writing) {
  std::vector<LaneRef> opened;
  // A rename of ours may be about to move the name.
  const bool waited = co_await shared_.names_in_flux.settled();
  const Result<std::string> path = shared_.inodes.path(*inode_);
  if (waited || !path || file.expired()) co_return opened;
  const std::uint32_t flags = writing ? sftp::kOpenRead | sftp::kOpenWrite : sftp::kOpenRead;
  const sftp::Attrs unset;
  std::vector<sftp::Call<sftp::Handle>> calls;
  for (const Way& way : ways) calls.push_back(way.client->open(*path, flags, unset));
  for (std::size_t i = 0; i < ways.size(); ++i) {
    sftp::Call<sftp::Handle> call = std::move(calls[i]);
    const Result<sftp::Handle> handle = co_await call;
    if (!handle) continue;
    opened.push_back(std::make_shared<Lane>(*ways[i].slot, ways[i].client, *handle));
  }
  const Result<std::string> still = shared_.inodes.path(*inode_);
  const bool kept = still && *still == *path;
  if (!kept) opened.clear();
  co_return opened;
}

// Behind everything that has been sent before; nothing if the file is closed or lost.
std::optional<sftp::Call<sftp::Attrs>> FileIo::ask_home(const OpenFileRef& file) const {
  const bool usable = file && !file->lost && is_live() && file->client == client_;
  if (!usable) return std::nullopt;
  return client_->fstat(file->handle, sftp::Queue::kBulk);
}

// Whether every lane has the attributes and holds the bytes that the home's handle shows; nothing
// may be in flight. A lane for writing was opened before the last writes were sent, which the
// sample is of: who has them is the file.
runtime::Task<bool> FileIo::lanes_are_the_file(OpenFileWeak file, std::vector<LaneRef> lanes) {
  const std::optional<ContentSample> sample = sample_;
  const bool known = sample && sample->generation == inode_->generation();
  std::optional<sftp::Call<sftp::Attrs>> asked = ask_home(file.lock());
  if (!known || !asked) co_return false;
  std::vector<LaneLook> looks;
  for (const LaneRef& lane : lanes) looks.push_back(look_at(*lane, *sample));
  sftp::Call<sftp::Attrs> look_at_home = std::move(*asked);
  const Result<sftp::Attrs> home = co_await look_at_home;
  bool same = home.has_value();
  for (LaneLook& look : looks) {
    sftp::Call<sftp::Attrs> attrs = std::move(look.attrs);
    sftp::Call<std::size_t> read = std::move(look.read);
    const Result<sftp::Attrs> there = co_await attrs;
    const Result<std::size_t> size = co_await read;
    same = same && there && size && *size == look.bytes.size() && look.bytes == sample->bytes &&
           there->size == home->size && there->mtime == home->mtime &&
           there->permissions == home->permissions && there->uid == home->uid &&
           there->gid == home->gid;
  }
  co_return same;
}

void FileIo::drop_dead_lanes() {
  if (striping_.routing != Routing::kHome) return;
  std::erase_if(striping_.lanes, [](const LaneRef& lane) { return !lane->client->alive(); });
  striping_.lanes_used = std::min(striping_.lanes_used, striping_.lanes.size());
}

// --- Which way ----------------------------------------------------------------------------------

// Null: the home.
LaneRef FileIo::lane_at(std::uint64_t offset, std::size_t lanes) const {
  const std::uint64_t way = offset / shared_.options.stripe_bytes % (lanes + 1);
  return way == 0 ? nullptr : striping_.lanes[static_cast<std::size_t>(way - 1)];
}

LaneRef FileIo::write_lane(const OpenFile& file, std::uint64_t offset) const {
  const bool striped = striping_.routing == Routing::kStriped && !file.append;
  return striped ? lane_at(offset, striping_.lanes_used) : nullptr;
}

LaneRef FileIo::read_lane(const OpenFileRef& file, std::uint64_t offset) const {
  const bool usable = striping_.routing == Routing::kHome && !striping_.for_writing &&
                      !striping_.lanes.empty() && clean() && resizing_ == 0 && is_live() &&
                      striping_.file.lock() == file && striping_.generation == inode_->generation();
  if (!usable) return nullptr;
  LaneRef lane = lane_at(offset, striping_.lanes.size());
  return lane && lane->client->alive() ? lane : nullptr;
}

// --- Turning ------------------------------------------------------------------------------------

void FileIo::turn(bool to_lanes) {
  Striping& stripes = striping_;
  // Home is where a turn under way to the lanes leads as well, once somebody wants it.
  stripes.to_lanes = stripes.routing == Routing::kTurning ? stripes.to_lanes && to_lanes : to_lanes;
  stripes.routing = Routing::kTurning;
  if (stripes.in_flight == 0 && !stripes.finishing) {
    runtime::spawn(finish_turn(shared_from_this()));
  }
}

void FileIo::write_answered() {
  Striping& stripes = striping_;
  if (--stripes.in_flight > 0) return;
  stripes.landed.notify_all();
  if (stripes.routing == Routing::kTurning && !stripes.finishing) {
    runtime::spawn(finish_turn(shared_from_this()));
  }
}

void FileIo::lane_lost() {
  striping_.resend = true;
  turn(false);
}

runtime::Task<void> FileIo::finish_turn(std::shared_ptr<FileIo> self) {
  Striping& stripes = self->striping_;
  stripes.finishing = true;
  if (stripes.to_lanes) {
    const std::vector<LaneRef> lanes = stripes.lanes;
    const bool compared = co_await self->lanes_are_the_file(stripes.file, lanes);
    const bool same = compared && stripes.lanes == lanes;
    if (!same) {
      log_debug("inode {} is not striped: closed, or a further handle may be another file's",
                self->inode_->id());
      stripes.forget();
      stripes.next_look = UINT64_MAX;  // never again in this stream
      stripes.to_lanes = false;
    }
  }
  stripes.finishing = false;
  // Recovery has taken over, or will.
  if (stripes.routing != Routing::kTurning || !self->is_live()) co_return;
  self->go_on();
}

// Something was accepted meanwhile that belongs to another descriptor: lanes are not for that, and
// it may not overtake what goes over them.
bool FileIo::holds_foreign() const {
  const OpenFileRef file = striping_.file.lock();
  const std::deque<ExtentRef>& all = unacknowledged_.all();
  return std::any_of(all.begin(), all.end(), [&file](const ExtentRef& extent) {
    return !extent->sent && extent->file != file;
  });
}

void FileIo::go_on() {
  Striping& stripes = striping_;
  const bool striped = stripes.to_lanes && !stripes.resend && !holds_foreign();
  stripes.routing = striped ? Routing::kStriped : Routing::kHome;
  if (striped) {
    stripes.lanes_used = stripes.lanes.size();
    stripes.striped_at = shared_.clock.now();
    stripes.answered_when_striped = answered_bytes();
    shared_.counters.stripings.fetch_add(1, std::memory_order_relaxed);
  } else {
    const bool lost = std::exchange(stripes.resend, false);
    if (lost) stripes.lanes.clear();
    // The lanes stay open, but the next turn to them has to be worth it again.
    stripes.lanes_used = 0;
    stripes.moved_bytes = 0;
    stripes.next_look = 0;
    if (lost) {
      for (const ExtentRef& extent : unacknowledged_.all()) {
        // What is appended never goes over a lane.
        if (!extent->appends()) extent->sent = extent->refused;
      }
    }
  }
  send_held();
  stripes.turned.notify_all();
}

void FileIo::send_held() {
  const std::deque<ExtentRef> all = unacknowledged_.all();
  for (const ExtentRef& extent : all) {
    if (extent->sent) continue;
    extent->settled = false;
    start_transmit(extent);
  }
}

}  // namespace sftpfs::fs
