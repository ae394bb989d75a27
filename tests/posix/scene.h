// Scene: an empty directory in which a case acts, and the transcript of what it saw there.
//
// A case runs twice, on a local directory and on a mount; what it records must be the same. So it
// records results, errno, contents, modes and sizes, and never what differs between any two
// directories (inode numbers, device numbers, exact times).
//
// Ownership: the directory belongs to the fixture (parity.h).
// Threads:   one thread.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace sftpfs::test {

struct Record {
  std::string what;
  std::string value;
  std::string reason;  // why the mount may, and must, differ; else empty
};

class Scene {
 public:
  // `backing` is the same directory as the server sees it; on a local directory the same path.
  // `ahead`: the mount answers before the server has what was done (durability=fsync).
  Scene(std::string dir, std::string backing, bool ahead = false)
      : dir_(std::move(dir)), backing_(std::move(backing)), ahead_(ahead) {}

  std::string path(std::string_view name) const { return dir_ + "/" + std::string(name); }
  // Where the server has it, and all that was done before.
  std::string backing(std::string_view name) const;
  const std::string& dir() const { return dir_; }

  // Setting the scene: not recorded, and throws when it fails.
  void make_file(std::string_view name, std::string_view contents = {}, mode_t mode = 0644) const;
  void make_dir(std::string_view name, mode_t mode = 0755) const;
  void make_link(std::string_view target, std::string_view name) const;
  void set_mode(std::string_view name, mode_t mode) const;
  UniqueFd must_open(std::string_view name, int flags, mode_t mode = 0644) const;

  // A system call's result: its value, or the name of its errno. Give the call itself as argument.
  void call(std::string_view what, long returned);
  void note(std::string_view what, std::string_view value);
  void note(std::string_view what, long value);
  // Opens and records whether that worked, and why not.
  UniqueFd open(std::string_view what, std::string_view name, int flags, mode_t mode = 0644);
  // Type, permissions, owner, and for files and links the size.
  void stat(std::string_view what, std::string_view name);
  void lstat(std::string_view what, std::string_view name);
  void fstat(std::string_view what, int fd);
  void times(std::string_view what, std::string_view name);  // whole seconds, links not followed
  // The whole contents, read through the directory or (stored) as the server has it.
  void contents(std::string_view what, std::string_view name);
  void stored(std::string_view what, std::string_view name);
  // From an open file, without moving its offset.
  void read_at(std::string_view what, int fd, off_t offset, std::size_t size);
  // All names but "." and "..", sorted, each with its type.
  void list(std::string_view what, std::string_view name);

  // The next record must differ on the mount, because the protocol forces it to.
  void differs(std::string_view reason) { reason_ = reason; }

  // Does `body` in a process of another user, and takes its records over.
  void as_user(uid_t user, const std::function<void(Scene&)>& body);

  const std::vector<Record>& records() const { return records_; }

 private:
  void record_stat(std::string_view what, int result, const struct stat& attributes);
  std::string dir_;
  std::string backing_;
  bool ahead_;
  std::string reason_;
  std::vector<Record> records_;
};

constexpr uid_t kOtherUser = 65534;

// "EEXIST"
std::string errno_name(int number);
// Long contents are shown by size and hash, short ones as they are.
std::string show_bytes(std::string_view bytes);

}  // namespace sftpfs::test
