// TempDir: a directory of one test's own, gone with everything in it when the test ends.
//
// Ownership: the object owns the directory; it is removed even when the test fails. Whatever is
//            still mounted below is detached first, so that nothing behind a mount is deleted.
// Threads:   immutable after construction.
// Limits:    lies in $TMPDIR or /tmp; readable by other users, because tests change theirs.
#pragma once

#include <string>

namespace sftpfs::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  // Makes a sub-directory and returns its path.
  std::string make_dir(const std::string& name) const;

 private:
  std::string path_;
};

// Removes `path` and all below it on the same file system, mounts detached first.
void remove_tree(const std::string& path);

}  // namespace sftpfs::test
