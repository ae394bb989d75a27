// See hot_directories.h.
#include "fs/hot_directories.h"

#include <algorithm>
#include <chrono>

namespace sftpfs::fs {
namespace {

// Of a directory that is too large or cannot be listed.
constexpr Duration kLeftAlone = std::chrono::minutes(1);

}  // namespace

Duration HotDirectories::refresh_age() const {
  const LiveOptions& options = shared_.live();
  const bool tells_absent = options.absent_lifetime > Duration::zero();
  return std::min(tells_absent ? options.absent_lifetime : options.attr_lifetime,
                  options.attr_lifetime) /
         2;
}

bool HotDirectories::is_due(Record& record, const NameAnswer& answer, TimePoint now) const {
  if (record.busy || now < record.not_before) return false;
  const bool known = answer.remaining > Duration::zero();
  const bool old = now >= answer.token.asked_at + refresh_age();
  if (known && answer.presence != Presence::kUnknown) {
    ++record.served;
    return answer.origin == Origin::kGuessed && old && record.served >= kServedAtLeast;
  }
  if (known && !old) return false;
  if (now >= record.since + shared_.live().attr_lifetime) {
    record.since = now;
    record.asked = 0;
  }
  return ++record.asked >= record.asked_wanted;
}

HotDirectories::Record& HotDirectories::record_of(const Inode& directory, TimePoint now) {
  if (records_.size() >= kRecordsMax) forget_cold_ones(now);
  return records_[directory.id()];
}

NameAnswer HotDirectories::look_up(const InodeRef& directory, const std::string& name) {
  const TimePoint now = shared_.clock.now();
  NameAnswer answer = shared_.listings.find(*directory, name, now);
  if (shared_.live().attr_lifetime <= Duration::zero()) return answer;
  {
    const MutexLock lock(mutex_);
    Record& record = record_of(*directory, now);
    const bool guessed = answer.presence == Presence::kAbsent &&
                         answer.origin == Origin::kGuessed && shared_.live().close_to_open;
    if (guessed && !record.missed.contains(name)) answer.presence = Presence::kUnknown;
    if (!is_due(record, answer, now) || under_way_ >= kAtOnceMax) return answer;
    if (shared_.journal.pending() > 0) return answer;
    const bool of_use = !record.listed || record.served >= kServedAtLeast;
    record.asked_wanted = of_use ? kAskedAtFirst : std::min(2 * record.asked_wanted, kAskedMax);
    record.busy = true;
    record.listed = true;
    record.asked = 0;
    record.served = 0;
    ++under_way_;
  }
  begin_listing(directory);
  return answer;
}

void HotDirectories::missed(const Inode& directory, const std::string& name) {
  const MutexLock lock(mutex_);
  const auto found = records_.find(directory.id());
  if (found == records_.end()) return;
  std::unordered_set<std::string>& missed = found->second.missed;
  if (missed.size() >= kMissedMax) missed.clear();
  missed.insert(name);
}

void HotDirectories::forget_cold_ones(TimePoint now) {
  std::erase_if(records_, [this, now](const auto& each) {
    const Record& record = each.second;
    const bool recent = now < record.since + shared_.live().attr_lifetime;
    return !record.busy && !recent && now >= record.not_before;
  });
  if (records_.size() < kRecordsMax) return;
  std::erase_if(records_, [](const auto& each) { return !each.second.busy; });
}

void HotDirectories::begin_listing(const InodeRef& directory) {
  auto stream = std::make_shared<DirectoryStream>(shared_, shared_.pool.pick(), directory);
  stream->is_guess();
  stream->home().post(
      [this, directory, stream] { runtime::spawn(list(*this, directory, stream)); });
}

runtime::Task<void> HotDirectories::list(HotDirectories& self, InodeRef directory,
                                         std::shared_ptr<DirectoryStream> stream) {
  const Status read = co_await stream->read_ahead(kNamesMax);
  self.listed(*directory, read.has_value() && stream->complete());
}

void HotDirectories::listed(const Inode& directory, bool possible) {
  const TimePoint now = shared_.clock.now();
  const MutexLock lock(mutex_);
  --under_way_;
  Record& record = records_[directory.id()];
  record.busy = false;
  if (!possible) record.not_before = now + kLeftAlone;
}

}  // namespace sftpfs::fs
