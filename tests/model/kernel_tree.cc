// See kernel_tree.h.
#include "model/kernel_tree.h"

#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace sftpfs::model {
namespace {

using fs::Attempt;

bool is_below(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

// --- Names --------------------------------------------------------------------------------------

int KernelTree::lookup(std::uint64_t parent, const std::string& name, Found& found) {
  fs::OperationContext op;
  const Result<fs::EntryReply> entry = world_.run(world_.fs().lookup(op, parent, name));
  if (!entry) return errno_of(entry, Attempt::kLookup);
  if (entry->ino == 0) return ENOENT;
  ++lookups_[entry->ino];
  found.ino = entry->ino;
  found.attr = entry->attr;
  return 0;
}

int KernelTree::walk(const std::string& path, Found& found) {
  found = Found();
  if (const int error = getattr(fs::kRootInode, found.attr); error != 0) return error;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (!is_directory(found.attr)) return ENOTDIR;
    const int error = lookup(found.ino, path.substr(begin, end - begin), found);
    if (error != 0) return error;
    begin = end + 1;
  }
  return 0;
}

int KernelTree::parent_of(const std::string& path, Parent& parent) {
  const std::size_t slash = path.rfind('/');
  Found found;
  const int error = walk(slash == std::string::npos ? "" : path.substr(0, slash), found);
  if (error != 0) return error;
  if (!is_directory(found.attr)) return ENOTDIR;
  parent.ino = found.ino;
  parent.name = slash == std::string::npos ? path : path.substr(slash + 1);
  return 0;
}

int KernelTree::vacant(const std::string& path, Parent& parent) {
  if (const int error = parent_of(path, parent); error != 0) return error;
  Found there;
  const int error = lookup(parent.ino, parent.name, there);
  if (error == 0) return EEXIST;
  return error == ENOENT ? 0 : error;
}

Answer KernelTree::entered(const Result<fs::EntryReply>& entry) {
  if (entry) ++lookups_[entry->ino];
  return answer(errno_of(entry, Attempt::kCreate));
}

Answer KernelTree::mkdir(const std::string& path, unsigned mode) {
  Parent parent;
  if (const int error = vacant(path, parent); error != 0) return answer(error);
  fs::OperationContext op;
  return entered(world_.run(world_.fs().mkdir(op, parent.ino, parent.name, mode)));
}

Answer KernelTree::symlink(const std::string& target, const std::string& path) {
  Parent parent;
  if (const int error = vacant(path, parent); error != 0) return answer(error);
  fs::OperationContext op;
  return entered(world_.run(world_.fs().symlink(op, target, parent.ino, parent.name)));
}

Answer KernelTree::link(const std::string& existing, const std::string& path) {
  Found source;
  if (const int error = walk(existing, source); error != 0) return answer(error);
  Parent parent;
  if (const int error = vacant(path, parent); error != 0) return answer(error);
  if (is_directory(source.attr)) return answer(EPERM);
  fs::OperationContext op;
  const Answer made =
      entered(world_.run(world_.fs().link(op, source.ino, parent.ino, parent.name)));
  if (made.error == 0) linked_.insert(source.ino);
  return made;
}

Answer KernelTree::readlink(const std::string& path) {
  Found found;
  if (const int error = walk(path, found); error != 0) return answer(error);
  if (!S_ISLNK(found.attr.mode)) return answer(EINVAL);
  fs::OperationContext op;
  const Result<std::string> target = world_.run(world_.fs().readlink(op, found.ino));
  return target ? Answer{0, *target} : answer(errno_of(target, Attempt::kReadLink));
}

Answer KernelTree::unlink(const std::string& path) {
  Parent parent;
  if (const int error = parent_of(path, parent); error != 0) return answer(error);
  Found there;
  if (const int error = lookup(parent.ino, parent.name, there); error != 0) return answer(error);
  if (is_directory(there.attr)) return answer(EISDIR);
  fs::OperationContext op;
  const Status done = world_.run(world_.fs().unlink(op, parent.ino, parent.name));
  return answer(errno_of(done, Attempt::kRemove));
}

Answer KernelTree::rmdir(const std::string& path) {
  Parent parent;
  if (const int error = parent_of(path, parent); error != 0) return answer(error);
  Found there;
  if (const int error = lookup(parent.ino, parent.name, there); error != 0) return answer(error);
  if (!is_directory(there.attr)) return answer(ENOTDIR);
  fs::OperationContext op;
  const Status done = world_.run(world_.fs().rmdir(op, parent.ino, parent.name));
  return answer(errno_of(done, Attempt::kRemoveDir));
}

Answer KernelTree::rename(const std::string& from, const std::string& to, bool replace) {
  Parent old_parent;
  if (const int error = parent_of(from, old_parent); error != 0) return answer(error);
  Parent new_parent;
  if (const int error = parent_of(to, new_parent); error != 0) return answer(error);
  Found source;
  if (const int error = lookup(old_parent.ino, old_parent.name, source); error != 0) {
    return answer(error);
  }
  Found target;
  const int missing = lookup(new_parent.ino, new_parent.name, target);
  if (missing != 0 && missing != ENOENT) return answer(missing);
  if (missing == 0 && !replace) return answer(EEXIST);
  if (is_below(to, from)) return answer(EINVAL);
  if (is_below(from, to)) return answer(ENOTEMPTY);
  if (missing == 0) {
    if (source.ino == target.ino) return Answer{};
    if (is_directory(source.attr) && !is_directory(target.attr)) return answer(ENOTDIR);
    if (!is_directory(source.attr) && is_directory(target.attr)) return answer(EISDIR);
  }
  fs::OperationContext op;
  const Status done =
      world_.run(world_.fs().rename(op, old_parent.ino, old_parent.name, new_parent.ino,
                                    new_parent.name, replace ? 0U : RENAME_NOREPLACE));
  return answer(errno_of(done, Attempt::kRename));
}

// --- Attributes ---------------------------------------------------------------------------------

int KernelTree::getattr(std::uint64_t ino, fs::FileAttr& attr) {
  fs::OperationContext op;
  const Result<fs::AttrReply> reply = world_.run(world_.fs().getattr(op, ino));
  if (reply) attr = reply->attr;
  return errno_of(reply, Attempt::kLookup);
}

// What is not being written must look as on the server, its times too.
void KernelTree::expect_as_on_server(const std::string& path, const fs::FileAttr& attr) {
  if (has_open_writer(attr.ino)) return;
  struct stat truth {};
  ASSERT_EQ(::lstat(server_.full(path).c_str(), &truth), 0) << path;
  EXPECT_EQ(attributes_text(attr.mode, attr.size),
            attributes_text(truth.st_mode, static_cast<std::uint64_t>(truth.st_size)))
      << path;
  EXPECT_EQ(attr.mtime.seconds, truth.st_mtime) << path;
}

Answer KernelTree::stat(const std::string& path) {
  Found found;
  if (const int error = walk(path, found); error != 0) return answer(error);
  fs::FileAttr attr;
  if (const int error = getattr(found.ino, attr); error != 0) return answer(error);
  expect_as_on_server(path, attr);
  return Answer{0, attributes_text(attr.mode, attr.size)};
}

Answer KernelTree::setattr(const std::string& path, fs::SetAttr change, bool size) {
  Found found;
  if (const int error = walk(path, found); error != 0) return answer(error);
  if (size && is_directory(found.attr)) return answer(EISDIR);
  fs::OperationContext op;
  const Result<fs::AttrReply> reply =
      world_.run(world_.fs().setattr(op, found.ino, std::move(change), 0));
  if (reply) expect_as_on_server(path, reply->attr);
  return answer(errno_of(reply, Attempt::kChange));
}

Answer KernelTree::truncate(const std::string& path, std::uint64_t size) {
  fs::SetAttr change;
  change.has_size = true;
  change.size = size;
  return setattr(path, change, true);
}

Answer KernelTree::chmod(const std::string& path, unsigned mode) {
  fs::SetAttr change;
  change.has_mode = true;
  change.mode = mode;
  return setattr(path, change, false);
}

Answer KernelTree::utimens(const std::string& path, std::int64_t seconds) {
  fs::SetAttr change;
  change.has_atime = change.has_mtime = true;
  change.atime.seconds = change.mtime.seconds = seconds;
  return setattr(path, change, false);
}

// --- Directories --------------------------------------------------------------------------------

namespace {

class SmallSink final : public fs::DirectorySink {
 public:
  explicit SmallSink(int room) : room_(room) {}
  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override {
    if (static_cast<int>(items.size()) == room_) return false;
    items.push_back(item);
    entries.push_back(entry != nullptr ? *entry : fs::EntryReply());
    return true;
  }
  std::vector<fs::DirectoryItem> items;
  std::vector<fs::EntryReply> entries;  // ino 0: none

 private:
  const int room_;
};

}  // namespace

Answer KernelTree::list(const std::string& path, int at_once) {
  Found found;
  if (const int error = walk(path, found); error != 0) return answer(error);
  if (!is_directory(found.attr)) return answer(ENOTDIR);
  fs::OperationContext op;
  const Result<fs::OpenReply> open = world_.run(world_.fs().opendir(op, found.ino));
  if (!open) return answer(errno_of(open, Attempt::kOpen));
  std::vector<std::string> names;
  std::uint64_t offset = 0;
  int error = 0;
  while (error == 0) {
    SmallSink sink(at_once);
    const bool plus = names.size() % 2 == 0;
    error = errno_of(world_.run(world_.fs().readdir(op, open->handle, offset, plus, sink)),
                     Attempt::kRead);
    if (sink.items.empty()) break;
    for (std::size_t i = 0; i < sink.items.size(); ++i) {
      const std::string& name = sink.items[i].name;
      names.push_back(name);
      offset = sink.items[i].next_offset;
      if (sink.entries[i].ino == 0) continue;
      ++lookups_[sink.entries[i].ino];
      expect_as_on_server(path.empty() ? name : path + "/" + name, sink.entries[i].attr);
    }
  }
  const Status released = world_.run(world_.fs().releasedir(op, open->handle));
  EXPECT_TRUE(released);
  if (error != 0) return answer(error);
  std::sort(names.begin(), names.end());
  Answer out;
  for (const std::string& name : names) out.text += name + "\n";
  return out;
}

// --- Forgetting ---------------------------------------------------------------------------------

void KernelTree::forget_some(std::mt19937_64& random) {
  for (int i = 0; i < 3 && !lookups_.empty(); ++i) {
    const auto at = std::next(lookups_.begin(), static_cast<long>(random() % lookups_.size()));
    if (linked_.contains(at->first) || is_open(at->first)) continue;
    world_.fs().forget(at->first, at->second);
    lookups_.erase(at);
  }
}

void KernelTree::forget_all() {
  EXPECT_TRUE(open_.empty());
  for (const auto& [ino, count] : lookups_) world_.fs().forget(ino, count);
  lookups_.clear();
  linked_.clear();
}

}  // namespace sftpfs::model
