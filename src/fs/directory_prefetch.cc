// See directory_prefetch.h.
#include "fs/directory_prefetch.h"

#include <sys/stat.h>

#include <algorithm>

namespace sftpfs::fs {

DirectoryPrefetch::Guess::Guess(Shared& shared, SessionSlot& slot, InodeRef inode)
    : shared_(shared),
      inode_(std::move(inode)),
      stream_(std::make_shared<DirectoryStream>(shared, slot, inode_)),
      begun_(stream_->begun()) {}

DirectoryPrefetch::Guess::~Guess() { shared_.inodes.forget(inode_->id(), 1); }

bool DirectoryPrefetch::usable(const Guess& guess) const {
  return shared_.clock.now() < guess.begun().asked_at + shared_.live().attr_lifetime &&
         !guess.inode()->listing_changed_since(guess.begun());
}

std::vector<DirectoryPrefetch::GuessRef> DirectoryPrefetch::remove_useless() {
  std::vector<GuessRef> useless;
  const MutexLock lock(mutex_);
  for (auto at = guesses_.begin(); at != guesses_.end();) {
    if (usable(*at->second)) {
      ++at;
    } else {
      useless.push_back(std::move(at->second));
      at = guesses_.erase(at);
    }
  }
  return useless;
}

std::shared_ptr<DirectoryStream> DirectoryPrefetch::opening(const InodeRef& directory) {
  remove_useless().clear();
  const std::vector<InodeTable::Place> places = shared_.inodes.places(*directory);
  if (places.empty()) return nullptr;
  const InodeRef& parent = places.front().parent;
  const bool walking = shared_.listings.knows(*parent, shared_.clock.now());
  std::shared_ptr<DirectoryStream> stream;
  GuessRef used;
  {
    const MutexLock lock(mutex_);
    const auto found = guesses_.find(directory->id());
    if (found != guesses_.end()) {
      used = std::move(found->second);
      guesses_.erase(found);
      stream = used->stream();
    }
    const int earned = used ? kEarnedByUse : walking ? 1 : 0;
    credit_ = std::min(credit_ + earned, kCreditMax);
    confirmed_ = used != nullptr;
  }
  if (stream) {
    guess_below(directory, nullptr);
    expand_all();
  }
  if (walking) guess_below(parent, directory);
  return stream;
}

void DirectoryPrefetch::expand_all() {
  std::vector<GuessRef> ready;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, guess] : guesses_) {
      if (guess->read && !guess->expanded) ready.push_back(guess);
    }
  }
  for (const GuessRef& guess : ready) expand(guess);
}

void DirectoryPrefetch::expand(const GuessRef& guess) {
  {
    const MutexLock lock(mutex_);
    guess->read = true;
    const auto found = guesses_.find(guess->inode()->id());
    const bool dropped = found == guesses_.end() || found->second != guess;
    if (dropped || !confirmed_ || guess->expanded) return;
    guess->expanded = true;
  }
  guess_below(guess->inode(), nullptr);
}

// But for `opened`, which is being listed now.
void DirectoryPrefetch::guess_below(const InodeRef& directory, const InodeRef& opened) {
  if (shared_.journal.pending() > 0) return;  // they would be shown as they were
  const TimePoint now = shared_.clock.now();
  int made_here = 0;
  for (const ListedDirectory& child : shared_.listings.subdirectories(*directory, now)) {
    if (opened && shared_.inodes.find_child(*directory, child.name) == opened) continue;
    {
      const MutexLock lock(mutex_);
      const bool enough = !confirmed_ && made_here >= kUnconfirmedMax;
      if (enough || credit_ <= 0 || guesses_.size() >= kGuessesMax) return;
    }
    const GuessRef made = guess(directory, child);
    if (!made) continue;
    ++made_here;
    made->stream()->home().post([this, made] { runtime::spawn(read_ahead(*this, made)); });
  }
}

// Null if it is known, or guessed already.
DirectoryPrefetch::GuessRef DirectoryPrefetch::guess(const InodeRef& parent,
                                                     const ListedDirectory& child) {
  if (parent->child_left_since(child.token)) return nullptr;
  const InodeRef inode = shared_.inodes.enter(parent, child.name, S_IFDIR);
  inode->adopt(child.attrs, child.token, shared_.lifetime(child.attrs));
  auto made = std::make_shared<Guess>(shared_, shared_.pool.pick(), inode);
  if (shared_.listings.knows(*inode, shared_.clock.now())) return nullptr;
  const MutexLock lock(mutex_);
  if (!guesses_.try_emplace(inode->id(), made).second) return nullptr;
  --credit_;
  return made;
}

runtime::Task<void> DirectoryPrefetch::read_ahead(DirectoryPrefetch& self, GuessRef guess) {
  const Status read = co_await guess->stream()->read_ahead(kNamesMax);
  if (!read) {
    self.drop(*guess);
    co_return;
  }
  self.expand(guess);
}

void DirectoryPrefetch::drop(const Guess& guess) {
  GuessRef dropped;
  const MutexLock lock(mutex_);
  const auto found = guesses_.find(guess.inode()->id());
  if (found == guesses_.end() || found->second.get() != &guess) return;
  dropped = std::move(found->second);
  guesses_.erase(found);
}

void DirectoryPrefetch::clear() {
  std::unordered_map<std::uint64_t, GuessRef> all;
  const MutexLock lock(mutex_);
  all.swap(guesses_);
}

}  // namespace sftpfs::fs
