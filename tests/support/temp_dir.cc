// See temp_dir.h.
#include "support/temp_dir.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "support/mounts.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

int remove_entry(const char* path, const struct stat* /*attributes*/, int kind, FTW* /*position*/) {
  // A directory that could not be read may only lack permission: give it and try once more.
  if (kind == FTW_DNR) ::chmod(path, 0700);
  ::remove(path);
  return 0;
}

}  // namespace

void remove_tree(const std::string& path) {
  detach_below(path);
  constexpr int kOpenDirectories = 32;
  ::nftw(path.c_str(), remove_entry, kOpenDirectories, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
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
