// See temp_dir.h.
#include "support/temp_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "support/mounts.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

// Goes down by descriptors, because tests also make trees deeper than the longest path. Another
// file system below (a mount that could not be detached) is left alone.
void empty_directory(UniqueFd directory, dev_t device) {
  struct stat attributes {};
  if (::fstat(directory.get(), &attributes) != 0 || attributes.st_dev != device) return;
  const int fd = directory.get();
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(directory.release()), &::closedir);
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(fd, entry->d_name, 0) == 0) continue;
    UniqueFd below(::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below && ::fchmodat(fd, entry->d_name, 0700, 0) == 0) {
      below.reset(::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    }
    if (below) empty_directory(std::move(below), device);
    ::unlinkat(fd, entry->d_name, AT_REMOVEDIR);
  }
}

}  // namespace

void remove_tree(const std::string& path) {
  detach_below(path);
  UniqueFd top(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat attributes {};
  if (!top || ::fstat(top.get(), &attributes) != 0) return;
  empty_directory(std::move(top), attributes.st_dev);
  ::rmdir(path.c_str());
}

TempDir::TempDir() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = std::string(base == nullptr ? "/tmp" : base) + "/sftpfs-test-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("mkdtemp " + pattern);
  path_ = pattern;
  must(::chmod(path_.c_str(), 0755), "chmod " + path_);
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDir::~TempDir() {
  if (!path_.empty()) remove_tree(path_);
}

std::string TempDir::make_dir(const std::string& name) const {
  const std::string made = file(name);
  must(::mkdir(made.c_str(), 0755), "mkdir " + made);
  return made;
}

}  // namespace sftpfs::test
