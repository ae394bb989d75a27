// PosixTree: the reference, a plain directory.
//
// See tree.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "model/tree.h"

namespace sftpfs::model {

class PosixTree final : public Tree {
 public:
  explicit PosixTree(std::string root) : root_(std::move(root)) {}

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

  // Whether two slots have the same file open.
  bool same_file(int slot, int other) const;
  // Whether some slot has the file of this name open.
  bool is_open(const std::string& path) const;
  std::string full(const std::string& path) const {
    return path.empty() ? root_ : root_ + "/" + path;
  }

 private:
  std::string root_;
  std::map<int, UniqueFd> open_;
};

}  // namespace sftpfs::model
