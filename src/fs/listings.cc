// See listings.h.
#include "fs/listings.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace sftpfs::fs {
namespace {

// A node of the map with its string and attributes, and the listing itself, roughly.
constexpr std::size_t kNameBytes = 128;
constexpr std::size_t kListingBytes = 256;

}  // namespace

void Listings::put(const Inode& directory, const std::vector<sftp::DirEntry>& entries,
                   const AttrToken& token, Duration lifetime, Duration absent_lifetime,
                   Origin origin) {
  Listing listing;
  listing.origin = origin;
  listing.token = token;
  listing.expires = token.asked_at + lifetime;
  listing.absent_until = token.asked_at + std::min(lifetime, absent_lifetime);
  listing.bytes = kListingBytes;
  for (const sftp::DirEntry& entry : entries) {
    listing.bytes += kNameBytes + entry.name.size();
    if (listing.bytes > bytes_max_ / 2) return;
    const auto position = static_cast<std::uint32_t>(listing.names.size());
    Entry& kept = listing.names[entry.name];
    kept.known = true;
    kept.position = position;
    kept.attrs = entry.attrs;
    if (!entry.attrs.has(sftp::kAttrPermissions) || !S_ISDIR(entry.attrs.permissions)) continue;
    listing.subdirectories.push_back(entry.name);
    listing.bytes += sizeof(std::string) + entry.name.size();
  }
  const MutexLock lock(mutex_);
  // Under the lock: a change that is made from now on finds the listing.
  if (directory.listing_changed_since(token)) return;
  drop_locked(directory.id());
  while (!by_use_.empty() && bytes_ + listing.bytes > bytes_max_) drop_locked(by_use_.front());
  bytes_ += listing.bytes;
  listing.position = by_use_.insert(by_use_.end(), directory.id());
  listings_.emplace(directory.id(), std::move(listing));
}

Listings::Listing* Listings::find_locked(const Inode& directory, TimePoint now) {
  const auto found = listings_.find(directory.id());
  if (found == listings_.end()) return nullptr;
  if (now >= found->second.expires) {
    drop_locked(directory.id());
    return nullptr;
  }
  by_use_.splice(by_use_.end(), by_use_, found->second.position);
  return &found->second;
}

bool Listings::knows(const Inode& directory, TimePoint now) {
  const MutexLock lock(mutex_);
  return find_locked(directory, now) != nullptr;
}

std::vector<ListedDirectory> Listings::subdirectories(const Inode& directory, TimePoint now) {
  std::vector<ListedDirectory> found;
  const MutexLock lock(mutex_);
  const Listing* const listing = find_locked(directory, now);
  if (listing == nullptr) return found;
  for (const std::string& name : listing->subdirectories) {
    const auto entry = listing->names.find(name);
    const bool there = entry != listing->names.end() && entry->second.known &&
                       S_ISDIR(entry->second.attrs.permissions) && !entry->second.vouched;
    if (there) found.push_back(ListedDirectory{name, entry->second.attrs, listing->token});
  }
  return found;
}

std::vector<ListedFile> Listings::files(const Inode& directory, TimePoint now,
                                        std::size_t count_max) {
  std::vector<std::pair<std::uint32_t, ListedFile>> found;
  {
    const MutexLock lock(mutex_);
    const Listing* const listing = find_locked(directory, now);
    if (listing == nullptr || listing->names.size() > count_max) return {};
    for (const auto& [name, entry] : listing->names) {
      const bool file = entry.known && !entry.vouched && entry.attrs.has(sftp::kAttrPermissions) &&
                        S_ISREG(entry.attrs.permissions);
      if (file) found.emplace_back(entry.position, ListedFile{name, entry.attrs, listing->token});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ListedFile> files;
  files.reserve(found.size());
  for (auto& each : found) files.push_back(std::move(each.second));
  return files;
}

std::optional<WholeListing> Listings::whole(const Inode& directory, TimePoint now) {
  const MutexLock lock(mutex_);
  const Listing* const listing = find_locked(directory, now);
  if (listing == nullptr) return std::nullopt;
  WholeListing whole;
  whole.token = listing->token;
  whole.entries.reserve(listing->names.size());
  for (const auto& [name, entry] : listing->names) {
    if (!entry.known) return std::nullopt;
    if (entry.vouched) {
      whole.vouched.push_back(name);
      continue;
    }
    sftp::DirEntry& copy = whole.entries.emplace_back();
    copy.name = name;
    copy.attrs = entry.attrs;
  }
  return whole;
}

NameAnswer Listings::find(const Inode& directory, const std::string& name, TimePoint now) {
  NameAnswer answer;
  const MutexLock lock(mutex_);
  const Listing* const listing = find_locked(directory, now);
  if (listing == nullptr) return answer;
  answer.token = listing->token;
  answer.origin = listing->origin;
  answer.remaining = listing->expires - now;
  const auto entry = listing->names.find(name);
  if (entry == listing->names.end()) {
    answer.presence = now < listing->absent_until ? Presence::kAbsent : Presence::kUnknown;
  } else if (entry->second.known) {
    answer.presence = Presence::kPresent;
    answer.attrs = entry->second.attrs;
    answer.vouched = entry->second.vouched.has_value();
    if (answer.vouched) answer.token = *entry->second.vouched;
  }
  return answer;
}

void Listings::made(const Inode& directory, const std::string& name) {
  const MutexLock lock(mutex_);
  const auto found = listings_.find(directory.id());
  if (found == listings_.end()) return;
  const auto [entry, added] = found->second.names.try_emplace(name);
  entry->second.known = false;
  if (!added) return;
  found->second.bytes += kNameBytes + name.size();
  bytes_ += kNameBytes + name.size();
  if (found->second.bytes > bytes_max_ / 2) drop_locked(directory.id());
}

void Listings::vouch(const Inode& directory, const std::string& name, const sftp::Attrs& attrs,
                     const AttrToken& token) {
  made(directory, name);
  const MutexLock lock(mutex_);
  const auto found = listings_.find(directory.id());
  if (found == listings_.end()) return;
  const auto kept = found->second.names.find(name);
  if (kept == found->second.names.end()) return;
  Entry& entry = kept->second;
  entry.known = true;
  entry.attrs = attrs;
  entry.vouched = token;
}

void Listings::still_ours(const Inode& directory, TimePoint until) {
  const MutexLock lock(mutex_);
  const auto found = listings_.find(directory.id());
  if (found == listings_.end() || found->second.origin != Origin::kMadeHere) return;
  found->second.expires = std::max(found->second.expires, until);
  found->second.absent_until = found->second.expires;
}

void Listings::removed(const Inode& directory, const std::string& name) {
  const MutexLock lock(mutex_);
  const auto found = listings_.find(directory.id());
  if (found == listings_.end() || found->second.names.erase(name) == 0) return;
  found->second.bytes -= kNameBytes + name.size();
  bytes_ -= kNameBytes + name.size();
}

void Listings::drop(const Inode& directory) {
  const MutexLock lock(mutex_);
  drop_locked(directory.id());
}

void Listings::drop_locked(std::uint64_t directory) {
  const auto found = listings_.find(directory);
  if (found == listings_.end()) return;
  bytes_ -= found->second.bytes;
  by_use_.erase(found->second.position);
  listings_.erase(found);
}

std::size_t Listings::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace sftpfs::fs
