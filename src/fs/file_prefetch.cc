// See file_prefetch.h.
#include "fs/file_prefetch.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <utility>

namespace sftpfs::fs {
namespace {

constexpr Duration kIdle = std::chrono::seconds(3);
// Content that may have changed within the second of its file's time is not kept (inode.cc).
constexpr std::int64_t kUnseenChangeSeconds = 2;

}  // namespace

bool FilePrefetch::wants_listing(const Inode& directory, TimePoint now) const {
  const MutexLock lock(mutex_);
  const auto known = records_.find(directory.id());
  return known != records_.end() && !known->second.built && now < known->second.used_at + kIdle;
}

void FilePrefetch::opening(const InodeRef& file) {
  const std::vector<InodeTable::Place> places = shared_.inodes.places(*file);
  if (places.empty()) return;
  const InodeRef& directory = places.front().parent;
  const TimePoint now = shared_.clock.now();
  std::optional<Record> built;
  if (wants_listing(*directory, now)) {
    std::vector<ListedFile> listed = shared_.listings.files(*directory, now, kFilesMax);
    if (!listed.empty()) built.emplace(build(std::move(listed)));
  }
  Dropped dropped;
  Chosen chosen;
  {
    const MutexLock lock(mutex_);
    drop_idle(now, dropped.records);
    const bool known = records_.contains(directory->id());
    if (!known && records_.size() >= kRecordsMax) drop_oldest(directory->id(), dropped.records);
    Record& record = records_[directory->id()];
    if (built && !record.built) record = std::move(*built);
    record.used_at = now;
    start_sweeping();
    while (bytes_locked() > kBytesMax && drop_oldest(directory->id(), dropped.records)) {
    }
    chosen = go_on(record, places.front().name, dropped.files);
  }
  for (const std::string& name : chosen.names) {
    Held held = hold(directory, name, chosen.token);
    if (note_ahead(*directory, name, held)) fetch_(std::move(held));
  }
}

FilePrefetch::Chosen FilePrefetch::go_on(Record& record, const std::string& name,
                                         std::vector<Held>& dropped) {
  Chosen chosen;
  const auto found = record.by_name.find(name);
  if (found == record.by_name.end()) return chosen;
  const auto used = record.ahead.find(found->second);
  if (used != record.ahead.end()) {
    dropped.push_back(std::move(used->second));
    record.ahead.erase(used);
    record.useless = std::max(record.useless - 1, 0);
  }
  follow(record.by_listing, found->second);
  follow(record.by_names, found->second);
  const Order& order = likelier(record);
  drop_passed_over(record, order, dropped);
  if (record.useless > kUselessMax) return chosen;
  for (const Index next : choose(record, order, kFetchesMax - under_way_)) {
    record.ahead.emplace(next, nullptr);
    chosen.names.push_back(record.files[next].name);
  }
  under_way_ += chosen.names.size();
  chosen.token = record.token;
  return chosen;
}

bool FilePrefetch::note_ahead(const Inode& directory, const std::string& name, const Held& held) {
  const MutexLock lock(mutex_);
  // It may be another record by now, of the same directory.
  const auto record = records_.find(directory.id());
  if (held && record != records_.end()) {
    const auto index = record->second.by_name.find(name);
    const bool listed = index != record->second.by_name.end();
    const auto ahead =
        listed ? record->second.ahead.find(index->second) : record->second.ahead.end();
    if (ahead != record->second.ahead.end() && !ahead->second) {
      ahead->second = held;
      return true;
    }
  }
  --under_way_;
  return false;
}

FilePrefetch::Record FilePrefetch::build(std::vector<ListedFile> listed) const {
  const std::int64_t now_s = shared_.clock.wall_now().seconds;
  Record record;
  record.built = true;
  record.token = listed.front().token;
  record.files.reserve(listed.size());
  for (ListedFile& each : listed) {
    const bool small = each.attrs.has(sftp::kAttrSize) && each.attrs.size > 0 &&
                       each.attrs.size <= std::min(kSizeMax, shared_.options.block_size_bytes);
    const bool rests = std::int64_t{each.attrs.mtime} + kUnseenChangeSeconds < now_s;
    record.files.push_back(File{std::move(each.name), small && rests});
  }
  arrange(record);
  return record;
}

void FilePrefetch::arrange(Record& record) {
  // A node of the map and the four numbers of the two orders.
  constexpr std::size_t kBytesPerFile = sizeof(File) + 64 + 4 * sizeof(Index);
  for (const File& file : record.files) {
    record.by_name.emplace(file.name, static_cast<Index>(record.by_name.size()));
    record.bytes += kBytesPerFile + file.name.capacity();
  }
  std::vector<Index>& as_listed = record.by_listing.files;
  as_listed.resize(record.files.size());
  std::iota(as_listed.begin(), as_listed.end(), Index{0});
  record.by_names.files = as_listed;
  std::sort(record.by_names.files.begin(), record.by_names.files.end(),
            [&record](Index a, Index b) { return record.files[a].name < record.files[b].name; });
  for (Order* order : {&record.by_listing, &record.by_names}) {
    order->positions.resize(order->files.size());
    for (Index at = 0; at < order->files.size(); ++at) order->positions[order->files[at]] = at;
  }
}

// Whether the open goes on where the last one was.
bool FilePrefetch::follow(Order& order, Index file) {
  const std::size_t at = order.positions[file];
  const bool first = order.last == SIZE_MAX;
  const bool on = !first && at > order.last && at - order.last <= kSlack;
  const bool late = !first && at <= order.last && order.last - at <= kSlack;
  if (on) ++order.run;
  if (!on && !late) order.run = 0;
  if (!late) order.last = at;
  return on;
}

FilePrefetch::Order& FilePrefetch::likelier(Record& record) {
  return record.by_names.run > record.by_listing.run ? record.by_names : record.by_listing;
}

void FilePrefetch::drop_passed_over(Record& record, const Order& order,
                                    std::vector<Held>& dropped) {
  for (auto at = record.ahead.begin(); at != record.ahead.end();) {
    const std::size_t position = order.positions[at->first];
    const bool coming = position + kSlack >= order.last && position <= order.last + kWindowMax;
    if (coming) {
      ++at;
      continue;
    }
    if (at->second) ++record.useless;
    dropped.push_back(std::move(at->second));
    at = record.ahead.erase(at);
  }
}

std::vector<FilePrefetch::Index> FilePrefetch::choose(const Record& record, const Order& order,
                                                      std::size_t count_max) {
  std::vector<Index> chosen;
  if (order.run == 0) return chosen;
  const std::size_t doubled = std::size_t{1} << std::min<std::size_t>(order.run, 5);
  const std::size_t window = std::min(doubled, kWindowMax);
  const std::size_t end = std::min(order.last + 1 + window, order.files.size());
  for (std::size_t at = order.last + 1; at < end && chosen.size() < count_max; ++at) {
    const Index file = order.files[at];
    if (!record.files[file].worth_it || record.ahead.contains(file)) continue;
    chosen.push_back(file);
  }
  return chosen;
}

// Not what is cached whole and believed, nor what somebody has open or changes.
bool FilePrefetch::needs_fetch(const Inode& file) const {
  const AttrView view = file.view(shared_.clock.now());
  if (file.type() != S_IFREG || file.io() != nullptr || view.changing) return false;
  if (!view.fresh || view.locally_modified) return true;
  const cache::Pin block = shared_.cache.peek(cache::BlockKey{file.id(), view.generation, 0});
  return !block || block.bytes().size() < view.attrs.size;
}

// Null if the name is not that of a file, or the file needs no fetching.
FilePrefetch::Held FilePrefetch::hold(const InodeRef& directory, const std::string& name,
                                      const AttrToken& token) {
  const InodeRef known = shared_.inodes.find_child(*directory, name);
  if (known) {
    return needs_fetch(*known) ? std::make_shared<InodeHold>(shared_.inodes, known) : nullptr;
  }
  if (directory->names_changed_since(token) || directory->child_left_since(token)) return nullptr;
  const InodeRef entered = shared_.inodes.enter(directory, name, S_IFREG);
  auto held = std::make_shared<InodeHold>(shared_.inodes, entered);
  shared_.inodes.forget(entered->id(), 1);
  return held;
}

void FilePrefetch::ended(const Inode& file, Ending ending) {
  const std::vector<InodeTable::Place> places = shared_.inodes.places(file);
  const MutexLock lock(mutex_);
  --under_way_;
  if (ending != Ending::kRefused || places.empty()) return;
  const auto record = records_.find(places.front().parent->id());
  if (record != records_.end()) record->second.useless += kRefusedCost;
}

void FilePrefetch::drop_idle(TimePoint now, std::vector<Record>& dropped) {
  for (auto at = records_.begin(); at != records_.end();) {
    if (now < at->second.used_at + kIdle) {
      ++at;
      continue;
    }
    dropped.push_back(std::move(at->second));
    at = records_.erase(at);
  }
}

bool FilePrefetch::drop_oldest(std::uint64_t kept, std::vector<Record>& dropped) {
  auto oldest = records_.end();
  for (auto at = records_.begin(); at != records_.end(); ++at) {
    if (at->first == kept) continue;
    if (oldest == records_.end() || at->second.used_at < oldest->second.used_at) oldest = at;
  }
  if (oldest == records_.end()) return false;
  dropped.push_back(std::move(oldest->second));
  records_.erase(oldest);
  return true;
}

std::size_t FilePrefetch::bytes_locked() const {
  std::size_t bytes = 0;
  for (const auto& [directory, record] : records_) bytes += record.bytes;
  return bytes;
}

std::size_t FilePrefetch::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_locked();
}

void FilePrefetch::start_sweeping() {
  if (std::exchange(sweeping_, true)) return;
  loop_.post([this] { idle_.start_after(kIdle, [this] { sweep(); }); });
}

// Forgets what nobody goes on with.
void FilePrefetch::sweep() {
  std::vector<Record> dropped;  // without the lock
  const MutexLock lock(mutex_);
  drop_idle(shared_.clock.now(), dropped);
  sweeping_ = !records_.empty();
  if (sweeping_) idle_.start_after(kIdle, [this] { sweep(); });
}

void FilePrefetch::clear() {
  std::unordered_map<std::uint64_t, Record> all;
  const MutexLock lock(mutex_);
  all.swap(records_);
}

}  // namespace sftpfs::fs
