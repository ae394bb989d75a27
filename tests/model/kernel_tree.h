// KernelTree: the file system under test behind what a kernel does for programmes: it resolves
// paths by lookups, refuses what needs no file system to refuse, counts lookups and forgets.
//
// See tree.h. It caches nothing itself, so that each operation reaches the file system.
#pragma once

#include <sys/stat.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fs/types.h"
#include "model/posix_tree.h"
#include "model/tree.h"
#include "model/world.h"

namespace sftpfs::model {

template <class T>
int errno_of(const Result<T>& result, fs::Attempt attempt) {
  return result ? 0 : fs::to_errno(result.error(), attempt);
}
inline Answer answer(int error) { return Answer{error, {}}; }
inline bool is_directory(const fs::FileAttr& attr) { return S_ISDIR(attr.mode); }

class KernelTree final : public Tree {
 public:
  explicit KernelTree(World& world) : world_(world), server_(world.directory()) {}

  Answer mkdir(const std::string& path, unsigned mode) override;
  Answer rmdir(const std::string& path) override;
  Answer unlink(const std::string& path) override;
  Answer rename(const std::string& from, const std::string& to, bool replace) override;
  Answer link(const std::string& existing, const std::string& path) override;
  Answer symlink(const std::string& target, const std::string& path) override;
  Answer readlink(const std::string& path) override;
  Answer stat(const std::string& path) override;
  Answer truncate(const std::string& path, std::uint64_t size) override;
  Answer chmod(const std::string& path, unsigned mode) override;
  Answer utimens(const std::string& path, std::int64_t seconds) override;
  Answer list(const std::string& path, int at_once) override;

  Answer open(int slot, const std::string& path, int flags, unsigned mode) override;
  Answer write(int slot, std::uint64_t offset, const std::string& data) override;
  std::vector<Answer> read(const std::vector<ReadRequest>& requests) override;
  Answer ftruncate(int slot, std::uint64_t size) override;
  Answer fstat(int slot) override;
  Answer fsync(int slot) override;
  Answer close(int slot) override;
  Answer copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset,
                    std::size_t size_bytes) override;

  // Forgets some inodes that nothing uses, as a kernel under memory pressure.
  void forget_some(std::mt19937_64& random);
  void forget_all();

 private:
  struct Found {
    std::uint64_t ino = fs::kRootInode;
    fs::FileAttr attr;
  };
  struct Parent {
    std::uint64_t ino = fs::kRootInode;
    std::string name;
  };
  struct OpenSlot {
    std::uint64_t handle = 0;
    std::uint64_t ino = 0;
    bool writable = false;
    bool append = false;
  };

  // These return an errno.
  int lookup(std::uint64_t parent, const std::string& name, Found& found);
  int walk(const std::string& path, Found& found);
  int parent_of(const std::string& path, Parent& parent);
  int getattr(std::uint64_t ino, fs::FileAttr& attr);
  // The place of a name that must not exist yet.
  int vacant(const std::string& path, Parent& parent);
  Answer setattr(const std::string& path, fs::SetAttr change, bool size);
  Answer entered(const Result<fs::EntryReply>& entry);
  int opened(int slot, std::uint64_t ino, std::uint64_t handle, int flags);
  bool has_open_writer(std::uint64_t ino) const;
  bool is_open(std::uint64_t ino) const;
  void expect_as_on_server(const std::string& path, const fs::FileAttr& attr);

  World& world_;
  PosixTree server_;
  std::map<std::uint64_t, std::uint64_t> lookups_;
  // Inodes with more than one name stay known, or each name would become an inode of its own.
  std::set<std::uint64_t> linked_;
  std::map<int, OpenSlot> open_;
};

}  // namespace sftpfs::model
