// See operations.h.
#include "fault/operations.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>

#include "support/test_error.h"

namespace sftpfs::test {

namespace {

// Sparse on the server; far behind what is fetched when a file is opened.
constexpr off_t kFileSize = off_t{64} << 20;
constexpr off_t kFarOffset = off_t{40} << 20;
constexpr std::size_t kPieceSize = 4096;

// What an operation works on: its path on the mount, and a descriptor that prepare() may open.
struct Subject {
  std::string path;
  int fd = -1;
};
using SubjectRef = std::shared_ptr<Subject>;

void open_now(const SubjectRef& subject, int flags) {
  subject->fd = must(::open(subject->path.c_str(), flags | O_CLOEXEC), "open " + subject->path);
}

void look_up(const SubjectRef& subject) {
  struct stat attributes {};
  must(::lstat(subject->path.c_str(), &attributes), "lstat " + subject->path);
}

int do_stat(const SubjectRef& subject) {
  struct stat attributes {};
  return error_of(::lstat(subject->path.c_str(), &attributes));
}

int do_open(const SubjectRef& subject) {
  return error_of(::open(subject->path.c_str(), O_RDONLY | O_CLOEXEC));
}

int do_read(const SubjectRef& subject) {
  std::array<char, kPieceSize> piece;
  return error_of(::pread(subject->fd, piece.data(), piece.size(), kFarOffset));
}

// Touches a page; what cannot be read ends the child by SIGBUS.
int do_map(const SubjectRef& subject) {
  void* mapped = ::mmap(nullptr, kPieceSize, PROT_READ, MAP_SHARED, subject->fd, kFarOffset);
  if (mapped == MAP_FAILED) return errno;
  const volatile char* page = static_cast<const char*>(mapped);
  return page[0] == '\0' ? 0 : EILSEQ;
}

int do_write(const SubjectRef& subject) {
  const std::array<char, kPieceSize> piece{'x'};
  return error_of(::pwrite(subject->fd, piece.data(), piece.size(), 0));
}

int do_write_fsync(const SubjectRef& subject) {
  const int error = do_write(subject);
  return error != 0 ? error : error_of(::fsync(subject->fd));
}

int do_write_close(const SubjectRef& subject) {
  const int error = do_write(subject);
  return error != 0 ? error : error_of(::close(subject->fd));
}

int do_readdir(const SubjectRef& subject) {
  DIR* directory = ::opendir(subject->path.c_str());
  if (directory == nullptr) return errno;
  errno = 0;
  while (::readdir(directory) != nullptr) {
  }
  const int error = errno;
  ::closedir(directory);
  return error;
}

int do_statfs(const SubjectRef& subject) {
  struct statvfs space {};
  return error_of(::statvfs(subject->path.c_str(), &space));
}

int do_unlink(const SubjectRef& subject) { return error_of(::unlink(subject->path.c_str())); }

int do_truncate(const SubjectRef& subject) {
  return error_of(::truncate(subject->path.c_str(), 17));
}

int do_create(const SubjectRef& subject) {
  return error_of(
      ::open((subject->path + ".new").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

int do_mkdir(const SubjectRef& subject) {
  return error_of(::mkdir((subject->path + ".dir").c_str(), 0755));
}

int do_rename(const SubjectRef& subject) {
  return error_of(::rename(subject->path.c_str(), (subject->path + ".moved").c_str()));
}

// The programme itself, so its errors can only be seen in how it ends.
int do_df(const SubjectRef& subject) {
  ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
  ::dup2(STDOUT_FILENO, STDERR_FILENO);
  ::execlp("df", "df", subject->path.c_str(), nullptr);
  return errno;
}

struct Kind {
  std::function<void(const SubjectRef&)> prepare;
  int (*act)(const SubjectRef&);
};

Kind reading(int (*act)(const SubjectRef&)) {
  return {[](const SubjectRef& subject) { open_now(subject, O_RDONLY); }, act};
}
Kind writing(int (*act)(const SubjectRef&)) {
  return {[](const SubjectRef& subject) { open_now(subject, O_RDWR); }, act};
}
Kind known(int (*act)(const SubjectRef&)) { return {look_up, act}; }
Kind unknown(int (*act)(const SubjectRef&)) { return {nullptr, act}; }

const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> table{
      {"stat", unknown(do_stat)},
      {"open", known(do_open)},
      {"read", reading(do_read)},
      {"write_fsync", writing(do_write_fsync)},
      {"readdir", known(do_readdir)},
      {"statfs", known(do_statfs)},
      {"unlink", known(do_unlink)},
      {"close", writing(do_write_close)},
      {"df", known(do_df)},
      {"map", reading(do_map)},
      {"truncate", known(do_truncate)},
      {"create", unknown(do_create)},
      {"mkdir", unknown(do_mkdir)},
      {"rename", known(do_rename)},
  };
  return table;
}

}  // namespace

const std::vector<std::string>& lasting_names() {
  static const std::vector<std::string> words{"entry_timeout=600", "attr_timeout=600"};
  return words;
}

const std::vector<std::string>& operation_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, kind] : kinds()) all.push_back(name);
    return all;
  }();
  return names;
}

Operation make_operation(FaultScene& scene, const std::string& name, int round) {
  const Kind& kind = kinds().at(name);
  // In a directory of its own: the kernel lets one process at a time change a directory, and the
  // others wait for that one where no signal reaches them.
  const std::string directory = name + std::to_string(round);
  must(::mkdir(scene.on_server(directory).c_str(), 0755), "mkdir");
  const std::string file = directory + "/file";
  if (name == "readdir") {
    must(::mkdir(scene.on_server(file).c_str(), 0755), "mkdir");
    for (const char* entry : {"/a", "/b", "/c"}) write_file(scene.on_server(file) + entry, "");
  } else {
    write_file(scene.on_server(file), "text");
    must(::truncate(scene.on_server(file).c_str(), kFileSize), "truncate");
  }
  const auto subject = std::make_shared<Subject>();
  subject->path = scene.on_mount(file);
  Operation operation;
  operation.name = directory;
  operation.prepare = [subject, top = scene.on_mount(directory), prepare = kind.prepare] {
    struct stat attributes {};
    must(::stat(top.c_str(), &attributes), "stat " + top);
    if (prepare) prepare(subject);
  };
  operation.act = [subject, act = kind.act] { return act(subject); };
  return operation;
}

}  // namespace sftpfs::test
