// App: choosing and resolving names, attributes, listings. See workload.h.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sim/workload.h"

namespace sftpfs::sim {

// --- Choosing -----------------------------------------------------------------------------------

bool App::is_own(const RefNode& directory, const std::string& name) const {
  if (&directory != world_.common().get()) return true;
  return name.front() == static_cast<char>('0' + number_);
}

RefPtr App::pick_directory(bool private_only) {
  if (!private_only && one_in(7)) return world_.common();
  RefPtr at = home_;
  while (!at->entries.empty() && !one_in(3)) {
    const RefPtr& next = at->entries[below(at->entries.size())].node;
    if (next->type == RefType::kDirectory) at = next;
  }
  return at;
}

std::string App::fresh_name(const RefNode& directory, bool link) {
  std::string name;
  if (&directory == world_.common().get()) name += static_cast<char>('0' + number_);
  name += link ? static_cast<char>('k' + below(3)) : static_cast<char>('a' + below(5));
  return name;
}

App::Place App::pick(bool existing) {
  Place place;
  place.directory = pick_directory(false);
  if (existing && !place.directory->entries.empty()) {
    for (int tries = 0; tries < 3; ++tries) {
      const RefEntry& entry = place.directory->entries[below(place.directory->entries.size())];
      if (!is_own(*place.directory, entry.name)) continue;
      place.name = entry.name;
      place.node = entry.node;
      return place;
    }
  }
  place.name = fresh_name(*place.directory, one_in(6));
  place.node = place.directory->child(place.name);
  return place;
}

// --- Resolving ----------------------------------------------------------------------------------

// Makes the kernel know a directory; an errno.
runtime::Task<int> App::reach(RefPtr directory) {
  if (directory->parent == nullptr) co_return 0;
  std::vector<RefNode*> chain;
  for (RefNode* at = directory.get(); at->parent != nullptr; at = at->parent) chain.push_back(at);
  RefPtr parent = world_.reference().root();
  while (!chain.empty()) {
    const std::string name = chain.back()->name;
    chain.pop_back();
    const int error = co_await look(parent, name);
    if (error != 0) co_return error;
    parent = parent->child(name);
  }
  co_return 0;
}

// Looks a name up, if the kernel does not know it; an errno: 0, ENOENT or EINTR.
runtime::Task<int> App::look(RefPtr directory, std::string name) {
  const RefEntry* known = directory->entry(name);
  if (known != nullptr && known->node->ino != 0 && world_.now() < known->valid_until) co_return 0;
  const RefPtr expected = directory->child(name);
  Wait wait(*this, true);
  const Result<fs::EntryReply> reply = co_await fs_.lookup(wait.op, directory->ino, name);
  const std::string what = "lookup of " + world_.reference().path(*directory, name);
  const int error = errno_of(reply, fs::Attempt::kLookup);
  const Verdict verdict = judge(what, error, 0, wait);
  if (verdict == Verdict::kInterrupted) co_return EINTR;
  if (verdict == Verdict::kRefused) co_return error;
  if ((reply->ino != 0) != (expected != nullptr)) {
    fail(what + (expected ? " finds nothing" : " finds what is not there"));
  }
  if (reply->ino != 0) world_.looked_up(reply->ino);
  if (world_.failed()) co_return EIO;
  if (reply->ino == 0) co_return ENOENT;
  entered(*directory, name, *reply);
  co_return 0;
}

// The kernel takes a name that it has just been shown; the lookup is counted already.
void App::entered(RefNode& directory, const std::string& name, const fs::EntryReply& reply) {
  RefEntry* entry = directory.entry(name);
  if (entry == nullptr) return;
  RefNode& node = *entry->node;
  const std::string path = world_.reference().path(directory, name);
  if (node.ino != 0 && node.ino != reply.ino) {
    // Of two names that one inode had, the file system may know only one again.
    if (node.names == 1) {
      return fail(fmt::format("{} was inode {} and is {} now", path, node.ino, reply.ino));
    }
  } else {
    node.ino = reply.ino;
  }
  const auto valid = std::chrono::duration<double>(reply.entry_timeout_s);
  entry->valid_until = world_.now() + std::chrono::duration_cast<Duration>(valid);
  // What may not be kept at all is a guess of a file that is being written.
  const bool guess = reply.attr_timeout_s <= 0;
  check_attr(path, reply.attr, node, guess ? nullptr : on_server(directory, name));
}

void App::check_attr(const std::string& what, const fs::FileAttr& attr, const RefNode& node,
                     const ModelRef& truth) {
  if (attr.mode != node.mode_with_type()) {
    fail(fmt::format("{} has mode {:o}, expected {:o}", what, attr.mode, node.mode_with_type()));
  }
  if (node.type == RefType::kDirectory || node.uncertain) return;
  if (attr.size != node.content.size()) {
    fail(fmt::format("{} has {} bytes, expected {}", what, attr.size, node.content.size()));
  }
  if (node.open_writers > 0 || !truth) return;
  const fs::Shared& shared = world_.shared();
  if (shared.journal.pending() > 0 || shared.counters.left_behind > 0) return;
  if (attr.mtime.seconds != truth->mtime) {
    fail(fmt::format("{} has mtime {}, on the server {}", what, attr.mtime.seconds, truth->mtime));
  }
}

// --- Forgetting ---------------------------------------------------------------------------------

// Open files and files with several names: whoever is interrupted while it changes their names may
// find that they are two files to the file system from then on.
bool App::fragile(const RefNode& node) {
  if (node.opens > 0 || node.names > 1) return true;
  return std::any_of(node.entries.begin(), node.entries.end(),
                     [](const RefEntry& entry) { return fragile(*entry.node); });
}

void App::drop(const RefPtr& node) {
  if (node->opens > 0 || node->names > 0 || node->ino == 0) return;
  world_.forget(std::exchange(node->ino, 0));
}

void App::disown(RefNode& node) {
  node.ino = 0;
  for (RefEntry& entry : node.entries) disown(*entry.node);
}

// As a kernel under memory pressure: a directory stays while names in it are known.
void App::forget_one() {
  const RefPtr directory = pick_directory(true);
  if (directory->entries.empty()) return;
  const RefPtr node = directory->entries[below(directory->entries.size())].node;
  if (node->opens > 0 || node->names > 1 || node->ino == 0) return;
  const bool used = std::any_of(node->entries.begin(), node->entries.end(),
                                [](const RefEntry& entry) { return entry.node->ino != 0; });
  if (!used) world_.forget(std::exchange(node->ino, 0));
}

// --- Looking ------------------------------------------------------------------------------------

runtime::Task<void> App::stat() {
  const Place place = pick(true);
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  const int found = co_await look(place.directory, place.name);
  if (found != 0) co_return;
  Wait wait(*this, true);
  const Result<fs::AttrReply> reply = co_await fs_.getattr(wait.op, place.node->ino);
  const std::string what = "getattr of " + world_.reference().path(*place.directory, place.name);
  const Verdict verdict = judge(what, errno_of(reply, fs::Attempt::kLookup), 0, wait);
  if (verdict != Verdict::kDone) co_return;
  check_attr(what, reply->attr, *place.node, on_server(*place.directory, place.name));
}

runtime::Task<void> App::statfs() {
  Wait wait(*this, true);
  const Result<fs::StatFsReply> reply = co_await fs_.statfs(wait.op);
  const Verdict verdict = judge("statfs", errno_of(reply, fs::Attempt::kStatFs), 0, wait);
  if (verdict != Verdict::kDone) co_return;
  if (reply->blocks != 1000 || reply->blocks_available != 400) fail("statfs is wrong");
}

namespace {

class Listing final : public fs::DirectorySink {
 public:
  explicit Listing(std::size_t room) : room_(room) {}
  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override {
    if (items.size() == room_) return false;
    items.push_back(item);
    replies.push_back(entry == nullptr ? fs::EntryReply() : *entry);
    return true;
  }
  std::vector<fs::DirectoryItem> items;
  std::vector<fs::EntryReply> replies;  // ino 0: none

 private:
  const std::size_t room_;
};

}  // namespace

runtime::Task<void> App::list() {
  const RefPtr directory = pick_directory(false);
  const int reached = co_await reach(directory);
  if (reached != 0) co_return;
  const std::string what = "listing of " + world_.reference().path(*directory);
  Wait opening(*this, true);
  const Result<fs::OpenReply> opened = co_await fs_.opendir(opening.op, directory->ino);
  const Verdict verdict = judge(what, errno_of(opened, fs::Attempt::kOpen), 0, opening);
  if (verdict != Verdict::kDone) co_return;
  std::vector<std::string> names;
  std::uint64_t offset = 0;
  bool complete = false;
  while (!complete && !world_.failed()) {
    Wait wait(*this, true);
    Listing part(1 + below(6));
    const bool plus = one_in(2);
    const Status listed = co_await fs_.readdir(wait.op, opened->handle, offset, plus, part);
    const int error = errno_of(listed, fs::Attempt::kRead);
    for (std::size_t i = 0; i < part.items.size(); ++i) {
      names.push_back(part.items[i].name);
      offset = part.items[i].next_offset;
      if (part.replies[i].ino == 0) continue;
      world_.looked_up(part.replies[i].ino);
      if (is_own(*directory, names.back())) entered(*directory, names.back(), part.replies[i]);
    }
    const Verdict read = judge(what, error, 0, wait);
    if (read != Verdict::kDone) break;
    complete = part.items.empty();
  }
  fs::OperationContext op;
  const Status released = co_await fs_.releasedir(op, opened->handle);
  if (!released) fail(what + ": releasedir fails");
  if (!complete || world_.failed()) co_return;
  std::erase_if(names, [&](const std::string& name) {
    return name == "." || name == ".." || !is_own(*directory, name);
  });
  std::vector<std::string> expected;
  for (const RefEntry& entry : directory->entries) {
    if (is_own(*directory, entry.name)) expected.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  std::sort(expected.begin(), expected.end());
  if (names != expected) {
    fail(fmt::format("{} has {} names, expected {}", what, names.size(), expected.size()));
  }
}

// A file that everybody reads at the same time.
runtime::Task<void> App::read_shared() {
  const RefPtr directory = world_.common();
  const std::string name = world_.read_only_names()[below(world_.read_only_names().size())];
  const int reached = co_await reach(directory);
  if (reached != 0) co_return;
  const int found = co_await look(directory, name);
  if (found != 0) co_return;
  const RefPtr node = directory->child(name);
  ++node->opens;
  Wait wait(*this, true);
  const Result<fs::OpenReply> reply = co_await fs_.open(wait.op, node->ino, O_RDONLY);
  const Verdict verdict = judge("open of " + name, errno_of(reply, fs::Attempt::kOpen), 0, wait);
  if (verdict == Verdict::kDone) {
    Descriptor descriptor;
    descriptor.handle = reply->handle;
    descriptor.node = node;
    for (std::uint64_t offset = 0; offset < node->content.size() && !one_in(4); offset += 4000) {
      co_await read_from(descriptor, offset, 4000);
    }
    fs::OperationContext op;
    const Status released = co_await fs_.release(op, reply->handle);
    if (!released) fail("release of " + name + " fails");
  }
  --node->opens;
}

}  // namespace sftpfs::sim
