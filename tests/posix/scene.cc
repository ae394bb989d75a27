// See scene.h.
#include "posix/scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>

#include "support/process.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr std::size_t kShownBytes = 200;

const char* type_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "dir";
    case S_IFLNK: return "link";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    case S_IFCHR: return "char";
    case S_IFBLK: return "block";
    default: return "unknown";
  }
}

const char* entry_type_name(unsigned char type) { return type_name(DTTOIF(type)); }

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += value >= 0x20 && value < 0x7f ? std::string(1, byte) : fmt::format("\\x{:02x}", value);
  }
  return text;
}

std::string read_all(int fd, std::string& failure) {
  std::string bytes;
  std::string chunk(1U << 17, '\0');
  while (true) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0) failure = errno_name(errno);
    if (count <= 0) return bytes;
    bytes.append(chunk, 0, static_cast<std::size_t>(count));
  }
}

std::string contents_of(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_name(errno);
  std::string failure;
  const std::string bytes = read_all(fd.get(), failure);
  return failure.empty() ? show_bytes(bytes) : failure;
}

// Records travel from a child as their three strings, each ended by NUL.
std::string serialise(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) {
    for (const std::string* part : {&record.what, &record.value, &record.reason}) {
      text += *part + '\0';
    }
  }
  return text;
}

std::vector<Record> deserialise(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size(); at += parts.back().size() + 1) {
    parts.push_back(text.substr(at, text.find('\0', at) - at));
  }
  std::vector<Record> records;
  for (std::size_t i = 0; i + 2 < parts.size(); i += 3) {
    records.push_back({parts[i], parts[i + 1], parts[i + 2]});
  }
  return records;
}

}  // namespace

std::string errno_name(int number) {
  const char* name = ::strerrorname_np(number);
  return name == nullptr ? std::to_string(number) : name;
}

std::string show_bytes(std::string_view bytes) {
  if (bytes.size() <= kShownBytes) return "\"" + printable(bytes) + "\"";
  return fmt::format("{} bytes, hash {:016x}", bytes.size(), std::hash<std::string_view>{}(bytes));
}

void Scene::make_file(std::string_view name, std::string_view contents, mode_t mode) const {
  const UniqueFd fd = must_open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
  while (!contents.empty()) {
    const ssize_t count = must(::write(fd.get(), contents.data(), contents.size()), path(name));
    contents.remove_prefix(static_cast<std::size_t>(count));
  }
  must(::fchmod(fd.get(), mode), "fchmod " + path(name));
}

void Scene::make_dir(std::string_view name, mode_t mode) const {
  must(::mkdir(path(name).c_str(), 0700), "mkdir " + path(name));
  set_mode(name, mode);
}

void Scene::make_link(std::string_view target, std::string_view name) const {
  must(::symlink(std::string(target).c_str(), path(name).c_str()), "symlink " + path(name));
}

void Scene::set_mode(std::string_view name, mode_t mode) const {
  must(::chmod(path(name).c_str(), mode), "chmod " + path(name));
}

UniqueFd Scene::must_open(std::string_view name, int flags, mode_t mode) const {
  return UniqueFd(must(::open(path(name).c_str(), flags | O_CLOEXEC, mode), "open " + path(name)));
}

void Scene::call(std::string_view what, long returned) {
  const int saved = errno;
  note(what, returned < 0 ? errno_name(saved) : std::to_string(returned));
}

void Scene::note(std::string_view what, std::string_view value) {
  records_.push_back({std::string(what), std::string(value), std::move(reason_)});
  reason_.clear();
}

void Scene::note(std::string_view what, long value) { note(what, std::to_string(value)); }

UniqueFd Scene::open(std::string_view what, std::string_view name, int flags, mode_t mode) {
  UniqueFd fd(::open(path(name).c_str(), flags | O_CLOEXEC, mode));
  const int saved = errno;
  note(what, fd ? "opened" : errno_name(saved));
  return fd;
}

void Scene::record_stat(std::string_view what, int result, const struct stat& attributes) {
  const int saved = errno;
  if (result != 0) {
    note(what, errno_name(saved));
    return;
  }
  std::string text = fmt::format("{} {:04o} uid {} gid {}", type_name(attributes.st_mode),
                                 attributes.st_mode & 07777U, attributes.st_uid, attributes.st_gid);
  if (!S_ISDIR(attributes.st_mode)) text += fmt::format(" size {}", attributes.st_size);
  note(what, text);
}

void Scene::stat(std::string_view what, std::string_view name) {
  struct stat attributes {};
  record_stat(what, ::stat(path(name).c_str(), &attributes), attributes);
}

void Scene::lstat(std::string_view what, std::string_view name) {
  struct stat attributes {};
  record_stat(what, ::lstat(path(name).c_str(), &attributes), attributes);
}

void Scene::fstat(std::string_view what, int fd) {
  struct stat attributes {};
  record_stat(what, ::fstat(fd, &attributes), attributes);
}

void Scene::times(std::string_view what, std::string_view name) {
  struct stat attributes {};
  if (::lstat(path(name).c_str(), &attributes) != 0) {
    note(what, errno_name(errno));
    return;
  }
  note(what,
       fmt::format("atime {} mtime {}", attributes.st_atim.tv_sec, attributes.st_mtim.tv_sec));
}

void Scene::contents(std::string_view what, std::string_view name) {
  note(what, contents_of(path(name)));
}

std::string Scene::backing(std::string_view name) const {
  if (ahead_) {
    // Names are there when their directory was synced, content when the file was.
    const UniqueFd dir(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    must(::fsync(dir.get()), "fsync " + dir_);
    const int flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
    const UniqueFd file(::open(path(name).c_str(), flags));
    if (file) must(::fsync(file.get()), "fsync " + path(name));
  }
  return backing_ + "/" + std::string(name);
}

void Scene::stored(std::string_view what, std::string_view name) {
  note(what, contents_of(backing(name)));
}

void Scene::read_at(std::string_view what, int fd, off_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t count = ::pread(fd, bytes.data(), size, offset);
  const int saved = errno;
  note(what,
       count < 0 ? errno_name(saved) : show_bytes({bytes.data(), static_cast<std::size_t>(count)}));
}

void Scene::list(std::string_view what, std::string_view name) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path(name).c_str()), &::closedir);
  if (!dir) {
    note(what, errno_name(errno));
    return;
  }
  std::vector<std::string> entries;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    entries.push_back(fmt::format("{}:{}", printable(entry_name), entry_type_name(entry->d_type)));
  }
  std::sort(entries.begin(), entries.end());
  std::string text;
  for (const std::string& entry : entries) text += entry + " ";
  note(what, text.size() <= 10 * kShownBytes ? text : show_bytes(text));
}

void Scene::as_user(uid_t user, const std::function<void(Scene&)>& body) {
  const std::string text = run_in_child(
      [&] {
        Scene scene(dir_, backing_, ahead_);
        body(scene);
        return serialise(scene.records());
      },
      user);
  for (Record& record : deserialise(text)) records_.push_back(std::move(record));
}

}  // namespace sftpfs::test
