// See posix_tree.h.
#include "model/posix_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include <fmt/core.h>

namespace sftpfs::model {
namespace {

Answer answer(long result) { return Answer{result < 0 ? errno : 0, {}}; }

}  // namespace

std::string attributes_text(std::uint32_t mode, std::uint64_t size) {
  const char type = S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : 'f';
  if (type == 'd') return fmt::format("d {:o}", mode & 07777U);
  return fmt::format("{} {:o} {}", type, mode & 07777U, size);
}

Answer PosixTree::mkdir(const std::string& path, unsigned mode) {
  const Answer made = answer(::mkdir(full(path).c_str(), mode));
  // Without a say of the umask.
  return made.error != 0 ? made : chmod(path, mode);
}

Answer PosixTree::rmdir(const std::string& path) { return answer(::rmdir(full(path).c_str())); }

Answer PosixTree::unlink(const std::string& path) { return answer(::unlink(full(path).c_str())); }

Answer PosixTree::rename(const std::string& from, const std::string& to, bool replace) {
  const unsigned flags = replace ? 0U : static_cast<unsigned>(RENAME_NOREPLACE);
  return answer(::renameat2(AT_FDCWD, full(from).c_str(), AT_FDCWD, full(to).c_str(), flags));
}

Answer PosixTree::link(const std::string& existing, const std::string& path) {
  return answer(::link(full(existing).c_str(), full(path).c_str()));
}

Answer PosixTree::symlink(const std::string& target, const std::string& path) {
  return answer(::symlink(target.c_str(), full(path).c_str()));
}

Answer PosixTree::readlink(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(full(path).c_str(), target.data(), target.size());
  if (size < 0) return answer(size);
  return Answer{0, std::string(target.data(), static_cast<std::size_t>(size))};
}

Answer PosixTree::stat(const std::string& path) {
  struct stat found {};
  if (::lstat(full(path).c_str(), &found) != 0) return answer(-1);
  return Answer{0, attributes_text(found.st_mode, static_cast<std::uint64_t>(found.st_size))};
}

Answer PosixTree::truncate(const std::string& path, std::uint64_t size) {
  return answer(::truncate(full(path).c_str(), static_cast<off_t>(size)));
}

Answer PosixTree::chmod(const std::string& path, unsigned mode) {
  return answer(::chmod(full(path).c_str(), mode));
}

Answer PosixTree::utimens(const std::string& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  return answer(::utimensat(AT_FDCWD, full(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}

Answer PosixTree::list(const std::string& path, int at_once) {
  static_cast<void>(at_once);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(full(path).c_str()), &::closedir);
  if (directory == nullptr) return answer(-1);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory.get())) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  Answer out;
  for (const std::string& name : names) out.text += name + "\n";
  return out;
}

Answer PosixTree::open(int slot, const std::string& path, int flags, unsigned mode) {
  struct stat found {};
  const bool there = ::lstat(full(path).c_str(), &found) == 0;
  // Directories are not opened here, and links not followed.
  const bool exclusive = (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0;
  if (there && S_ISDIR(found.st_mode)) return Answer{exclusive ? EEXIST : EISDIR, {}};
  UniqueFd fd(::open(full(path).c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return answer(-1);
  if (!there && ::fchmod(fd.get(), mode) != 0) return answer(-1);
  open_.insert_or_assign(slot, std::move(fd));
  return Answer{};
}

Answer PosixTree::write(int slot, std::uint64_t offset, const std::string& data) {
  // With O_APPEND Linux appends whatever the offset.
  const ssize_t size =
      ::pwrite(open_.at(slot).get(), data.data(), data.size(), static_cast<off_t>(offset));
  if (size < 0) return answer(size);
  return Answer{0, std::to_string(size)};
}

std::vector<Answer> PosixTree::read(const std::vector<ReadRequest>& requests) {
  std::vector<Answer> answers;
  for (const ReadRequest& request : requests) {
    std::string data(request.size_bytes, '\0');
    const ssize_t size = ::pread(open_.at(request.slot).get(), data.data(), data.size(),
                                 static_cast<off_t>(request.offset));
    if (size < 0) {
      answers.push_back(answer(size));
      continue;
    }
    data.resize(static_cast<std::size_t>(size));
    answers.push_back(Answer{0, std::move(data)});
  }
  return answers;
}

bool PosixTree::same_file(int slot, int other) const {
  struct stat a {};
  struct stat b {};
  return ::fstat(open_.at(slot).get(), &a) == 0 && ::fstat(open_.at(other).get(), &b) == 0 &&
         a.st_ino == b.st_ino;
}

bool PosixTree::is_open(const std::string& path) const {
  struct stat named {};
  if (::lstat(full(path).c_str(), &named) != 0) return false;
  return std::any_of(open_.begin(), open_.end(), [&named](const auto& entry) {
    struct stat opened {};
    return ::fstat(entry.second.get(), &opened) == 0 && opened.st_ino == named.st_ino;
  });
}

Answer PosixTree::ftruncate(int slot, std::uint64_t size) {
  return answer(::ftruncate(open_.at(slot).get(), static_cast<off_t>(size)));
}

Answer PosixTree::fstat(int slot) {
  struct stat found {};
  if (::fstat(open_.at(slot).get(), &found) != 0) return answer(-1);
  return Answer{0, attributes_text(found.st_mode, static_cast<std::uint64_t>(found.st_size))};
}

Answer PosixTree::fsync(int slot) { return answer(open_.contains(slot) ? 0 : -1); }

Answer PosixTree::close(int slot) {
  open_.erase(slot);
  return Answer{};
}

Answer PosixTree::copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset,
                             std::size_t size_bytes) {
  std::string data(size_bytes, '\0');
  const ssize_t got =
      ::pread(open_.at(from).get(), data.data(), data.size(), static_cast<off_t>(from_offset));
  if (got < 0) return answer(got);
  data.resize(static_cast<std::size_t>(got));
  if (data.empty()) return Answer{0, "0"};
  return write(to, to_offset, data);
}

}  // namespace sftpfs::model
