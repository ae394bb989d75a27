// read(2), pread(2), readv(2), lseek(2) for reading, sendfile(2), O_DIRECT.
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "posix/parity.h"
#include "posix/text.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Read, every_server());

POSIX_CASE(Read, EndsAtTheEnd) {
  scene.make_file("file", "0123456789");
  scene.make_file("empty");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  scene.read_at("all", fd.get(), 0, 10);
  scene.read_at("more than all", fd.get(), 0, 100);
  scene.read_at("across the end", fd.get(), 8, 10);
  scene.read_at("at the end", fd.get(), 10, 10);
  scene.read_at("beyond the end", fd.get(), 1000, 10);
  scene.read_at("nothing", fd.get(), 3, 0);
  scene.read_at("negative offset", fd.get(), -1, 1);
  const UniqueFd empty = scene.must_open("empty", O_RDONLY);
  scene.read_at("empty file", empty.get(), 0, 10);
}

POSIX_CASE(Read, OffsetMovesByWhatWasRead) {
  scene.make_file("file", "0123456789");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  std::array<char, 4> chunk{};
  for (int i = 0; i < 4; ++i) {
    scene.call("read", ::read(fd.get(), chunk.data(), chunk.size()));
    scene.call("offset", ::lseek(fd.get(), 0, SEEK_CUR));
  }
}

POSIX_CASE(Read, OddSizesAtOddOffsets) {
  const std::string text = numbered_text(700'001);
  scene.make_file("file", text);
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  for (const off_t offset : {1, 4095, 4097, 32767, 65537, 131071, 262143, 524289, 699999}) {
    for (const std::size_t size : {1U, 4096U, 32769U, 131073U, 300'000U}) {
      scene.read_at("read", fd.get(), offset, size);
    }
  }
}

POSIX_CASE(Read, BackwardsIsTheSameFile) {
  scene.make_file("file", numbered_text(500'000));
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  for (off_t offset = 500'000; offset >= 0; offset -= 33'333) {
    scene.read_at("read", fd.get(), offset, 40'000);
  }
}

POSIX_CASE(Read, IntoSeveralBuffers) {
  scene.make_file("file", "0123456789");
  const UniqueFd fd = scene.must_open("file", O_RDONLY);
  std::array<char, 3> first{};
  std::array<char, 20> second{};
  const std::array<iovec, 2> parts{iovec{first.data(), first.size()},
                                   iovec{second.data(), second.size()}};
  scene.call("readv", ::readv(fd.get(), parts.data(), 2));
  scene.note("first", show_bytes({first.data(), 3}));
  scene.note("second", show_bytes({second.data(), 7}));
  scene.call("preadv", ::preadv(fd.get(), parts.data(), 2, 5));
}

POSIX_CASE(Read, DirectIoGivesTheSameBytes) {
  constexpr std::size_t kPage = 4096;
  const std::string text = numbered_text(64 * kPage);
  scene.make_file("file", text);
  const UniqueFd fd = scene.open("O_DIRECT", "file", O_RDONLY | O_DIRECT);
  const std::unique_ptr<void, void (*)(void*)> page(std::aligned_alloc(kPage, 16 * kPage),
                                                    &std::free);
  for (const off_t offset : {off_t{0}, off_t{kPage}, off_t{60 * kPage}, off_t{64 * kPage}}) {
    const ssize_t count = ::pread(fd.get(), page.get(), 16 * kPage, offset);
    scene.call("pread", count);
    if (count < 0) continue;
    scene.note("bytes",
               show_bytes({static_cast<const char*>(page.get()), static_cast<std::size_t>(count)}));
  }
}

POSIX_CASE(Read, ByTheKernelItself) {
  scene.make_file("from", numbered_text(300'000));
  const UniqueFd from = scene.must_open("from", O_RDONLY);
  const UniqueFd to = scene.must_open("to", O_WRONLY | O_CREAT);
  long total = 0;
  while (true) {
    const ssize_t count = ::sendfile(to.get(), from.get(), nullptr, 1U << 20);
    if (count <= 0) break;
    total += count;
  }
  scene.note("sendfile", total);
  scene.contents("copy", "to");
}

POSIX_CASE(Read, ZerosInHoles) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  scene.call("write far away", ::pwrite(fd.get(), "end", 3, 1'000'000));
  scene.read_at("hole", fd.get(), 500'000, 150);
  scene.read_at("edge", fd.get(), 999'990, 150);
  scene.contents("all", "file");
}

}  // namespace
}  // namespace sftpfs::test
