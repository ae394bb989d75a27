// See file_prefetch.h.
#include "fs/file_prefetch.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <numeric>

namespace sftpfs::fs {
namespace {

constexpr Duration kIdle = std::chrono::seconds(3);
// Content that may have changed within the second of its file's time is not kept (ops_open.cc).
constexpr std::int64_t kUnseenChangeSeconds = 2;

}  // namespace

void FilePrefetch::opening(const InodeRef& file) {
  const std::vector<InodeTable::Place> places = shared_.inodes.places(*file);
  if (places.empty()) return;
  const InodeRef& directory = places.front().parent;
  const TimePoint now = shared_.clock.now();
  bool second = false;
  {
    const MutexLock lock(mutex_);
    const auto known = records_.find(directory->id());
    second = known != records_.end() && !known->second.built && now < known->second.used_at + kIdle;
  }
  std::vector<ListedFile> listed;
  if (second) listed = shared_.listings.files(*directory, now, kFilesMax);

  std::vector<Record> idle;
  std::vector<Held> dropped;
  std::vector<std::string> names;
  AttrToken token;
  {
    const MutexLock lock(mutex_);
    forget_idle(directory->id(), now, idle);
    Record& record = records_[directory->id()];
    record.used_at = now;
    if (!record.built && !listed.empty()) build(record, std::move(listed));
    const auto found = record.by_name.find(places.front().name);
    if (found == record.by_name.end()) return;
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
    if (record.useless > kUselessMax) return;
    for (const Index next : choose(record, order)) {
      record.ahead.emplace(next, nullptr);
      names.push_back(record.files[next].name);
    }
    token = record.token;
  }
  for (const std::string& name : names) {
    Held held = hold(directory, name, token);
    if (!held) continue;
    {
      const MutexLock lock(mutex_);
      const auto record = records_.find(directory->id());
      if (record == records_.end()) continue;
      // It may be another one by now, of the same directory.
      const auto index = record->second.by_name.find(name);
      if (index == record->second.by_name.end()) continue;
      const auto ahead = record->second.ahead.find(index->second);
      if (ahead == record->second.ahead.end() || ahead->second) continue;
      ahead->second = held;
    }
    fetch_(std::move(held));
  }
}

void FilePrefetch::build(Record& record, std::vector<ListedFile> listed) const {
  const std::int64_t now_s = shared_.clock.wall_now().seconds;
  record.built = true;
  record.token = listed.front().token;
  for (ListedFile& each : listed) {
    const bool small = each.attrs.has(sftp::kAttrSize) && each.attrs.size > 0 &&
                       each.attrs.size <= std::min(kSizeMax, shared_.options.block_size_bytes);
    const bool rests = std::int64_t{each.attrs.mtime} + kUnseenChangeSeconds < now_s;
    record.by_name.emplace(each.name, static_cast<Index>(record.files.size()));
    record.files.push_back(File{std::move(each.name), small && rests});
  }
  const auto arrange = [](Order& order) {
    order.positions.resize(order.files.size());
    for (Index at = 0; at < order.files.size(); ++at) order.positions[order.files[at]] = at;
  };
  std::vector<Index>& as_listed = record.by_listing.files;
  as_listed.resize(record.files.size());
  std::iota(as_listed.begin(), as_listed.end(), Index{0});
  record.by_names.files = as_listed;
  std::sort(record.by_names.files.begin(), record.by_names.files.end(),
            [&record](Index a, Index b) { return record.files[a].name < record.files[b].name; });
  arrange(record.by_listing);
  arrange(record.by_names);
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

std::vector<FilePrefetch::Index> FilePrefetch::choose(const Record& record, const Order& order) {
  std::vector<Index> chosen;
  if (order.run == 0) return chosen;
  const std::size_t doubled = std::size_t{1} << std::min<std::size_t>(order.run, 5);
  const std::size_t window = std::min(doubled, kWindowMax);
  const std::size_t end = std::min(order.last + 1 + window, order.files.size());
  for (std::size_t at = order.last + 1; at < end; ++at) {
    const Index file = order.files[at];
    if (!record.files[file].worth_it || record.ahead.contains(file)) continue;
    chosen.push_back(file);
  }
  return chosen;
}

// Null if the name is not that of a file, or the file needs no fetching.
FilePrefetch::Held FilePrefetch::hold(const InodeRef& directory, const std::string& name,
                                      const AttrToken& token) {
  const InodeRef known = shared_.inodes.find_child(*directory, name);
  if (known) {
    const bool idle = known->type() == S_IFREG && known->io() == nullptr;
    return idle ? std::make_shared<InodeHold>(shared_.inodes, known) : nullptr;
  }
  if (directory->names_changed_since(token) || directory->child_left_since(token)) return nullptr;
  const InodeRef entered = shared_.inodes.enter(directory, name, S_IFREG);
  auto held = std::make_shared<InodeHold>(shared_.inodes, entered);
  shared_.inodes.forget(entered->id(), 1);
  return held;
}

void FilePrefetch::refused(const Inode& file) {
  const std::vector<InodeTable::Place> places = shared_.inodes.places(file);
  if (places.empty()) return;
  const MutexLock lock(mutex_);
  const auto record = records_.find(places.front().parent->id());
  if (record != records_.end()) record->second.useless += kRefusedCost;
}

// Their inodes are let go of without the lock.
void FilePrefetch::forget_idle(std::uint64_t wanted, TimePoint now, std::vector<Record>& dropped) {
  const bool full = records_.size() >= kRecordsMax && !records_.contains(wanted);
  for (auto at = records_.begin(); at != records_.end();) {
    const bool idle = now >= at->second.used_at + kIdle;
    if (!idle && !full) {
      ++at;
      continue;
    }
    dropped.push_back(std::move(at->second));
    at = records_.erase(at);
  }
}

void FilePrefetch::clear() {
  std::unordered_map<std::uint64_t, Record> all;
  const MutexLock lock(mutex_);
  all.swap(records_);
}

}  // namespace sftpfs::fs
