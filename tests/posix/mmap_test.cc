// mmap(2): private and shared mappings, and their agreement with read and write.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "posix/parity.h"
#include "posix/text.h"
#include "support/test_error.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Mmap, every_server());

// A mapping that ends with its scope; data() is null when mmap failed.
class Mapping {
 public:
  Mapping(int fd, std::size_t size, int protection, int flags)
      : size_(size), data_(::mmap(nullptr, size, protection, flags, fd, 0)) {}
  ~Mapping() {
    if (data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  bool ok() const { return data_ != MAP_FAILED; }
  char* data() const { return static_cast<char*>(data_); }
  std::string show() const { return ok() ? show_bytes({data(), size_}) : "not mapped"; }

 private:
  std::size_t size_;
  void* data_;
};

constexpr int kBoth = PROT_READ | PROT_WRITE;

POSIX_CASE(Mmap, ReadsTheFile) {
  scene.make_file("file", numbered_text(300'000));
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  const Mapping shared(fd.get(), 300'000, PROT_READ, MAP_SHARED);
  scene.note("shared", shared.show());
  const Mapping own(fd.get(), 300'000, kBoth, MAP_PRIVATE);
  scene.note("private", own.show());
}

POSIX_CASE(Mmap, SharedWritesReachTheServer) {
  scene.make_file("file", numbered_text(200'000));
  {
    const UniqueFd fd = scene.must_open("file", O_RDWR);
    const Mapping map(fd.get(), 200'000, kBoth, MAP_SHARED);
    scene.note("mapped", static_cast<long>(map.ok()));
    if (!map.ok()) return;
    std::memcpy(map.data() + 4090, "across pages", 12);
    std::memcpy(map.data() + 150'000, "far", 3);
    scene.read_at("read sees it", fd.get(), 4085, 20);
    scene.call("msync", ::msync(map.data(), 200'000, MS_SYNC));
    scene.stored("stored after msync", "file");
    std::memcpy(map.data(), "START", 5);
  }
  scene.stored("stored after munmap and close", "file");
}

POSIX_CASE(Mmap, PrivateWritesStayPrivate) {
  scene.make_file("file", "0123456789");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  const Mapping map(fd.get(), 10, kBoth, MAP_PRIVATE);
  scene.note("mapped", static_cast<long>(map.ok()));
  if (!map.ok()) return;
  std::memcpy(map.data(), "ABC", 3);
  scene.note("changed", map.show());
  scene.contents("file", "file");
}

POSIX_CASE(Mmap, SeesWrites) {
  scene.make_file("file", numbered_text(20'000));
  const UniqueFd fd = scene.must_open("file", O_RDWR);
  const Mapping map(fd.get(), 20'000, PROT_READ, MAP_SHARED);
  scene.note("before", map.show());
  scene.call("write", ::pwrite(fd.get(), "WRITTEN", 7, 9'000));
  scene.note("after", map.show());
}

POSIX_CASE(Mmap, OutlivesItsDescriptorAndName) {
  scene.make_file("file", numbered_text(20'000));
  UniqueFd fd = scene.must_open("file", O_RDWR);
  const Mapping map(fd.get(), 20'000, kBoth, MAP_SHARED);
  fd.reset();
  scene.call("unlink", ::unlink(scene.path("file").c_str()));
  scene.note("mapped", map.show());
  if (map.ok()) std::memcpy(map.data(), "changed", 7);
  scene.note("changed", map.show());
}

POSIX_CASE(Mmap, NeedsTheRightAccessMode) {
  scene.make_file("file", "text");
  const UniqueFd reader = scene.must_open("file", O_RDONLY);
  const Mapping shared(reader.get(), 4, kBoth, MAP_SHARED);
  scene.call("shared writing needs O_RDWR", shared.ok() ? 0 : -1);
  const UniqueFd writer = scene.must_open("file", O_WRONLY);
  const Mapping unreadable(writer.get(), 4, PROT_READ, MAP_SHARED);
  scene.call("reading needs a reader", unreadable.ok() ? 0 : -1);
}

POSIX_CASE(Mmap, OfAGrowingFile) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  scene.call("truncate", ::ftruncate(fd.get(), 100'000));
  const Mapping map(fd.get(), 100'000, kBoth, MAP_SHARED);
  if (map.ok()) std::memset(map.data() + 50'000, 'm', 10'000);
  scene.call("write", ::pwrite(fd.get(), "written", 7, 70'000));
  scene.note("map", map.show());
  scene.contents("file", "file");
}

}  // namespace
}  // namespace sftpfs::test
