// write(2), pwrite(2), writev(2), and when what was written is on the server.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "posix/parity.h"
#include "posix/text.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Write, every_server());

POSIX_CASE(Write, IsOnTheServerAfterClose) {
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
    scene.call("write", ::write(fd.get(), "0123456789", 10));
  }
  scene.stored("stored", "file");
  scene.stat("attributes", "file");
}

POSIX_CASE(Write, IsSeenAtOnceByItsReaders) {
  const UniqueFd writer = scene.must_open("file", O_WRONLY | O_CREAT);
  const UniqueFd reader = scene.must_open("file", O_RDONLY);
  for (int i = 0; i < 5; ++i) {
    scene.call("write", ::write(writer.get(), "abcdefgh", 8));
    scene.read_at("read", reader.get(), 0, 100);
    scene.fstat("size", reader.get());
    scene.stat("size by name", "file");
  }
}

POSIX_CASE(Write, OverwritesInPlace) {
  scene.make_file("file", numbered_text(400'000));
  {
    const UniqueFd fd = scene.must_open("file", O_RDWR);
    for (const off_t offset : {0, 4095, 65535, 131072, 262143, 399'999}) {
      scene.call("pwrite", ::pwrite(fd.get(), "XYZ", 3, offset));
      scene.read_at("around", fd.get(), offset < 5 ? 0 : offset - 5, 20);
    }
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Write, ManySmallOnes) {
  const std::string text = numbered_text(50'000);
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
    for (std::size_t at = 0; at < text.size(); at += 7) {
      const std::size_t size = std::min<std::size_t>(7, text.size() - at);
      if (::write(fd.get(), text.data() + at, size) < 0) scene.call("write", -1);
    }
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Write, BackwardsAndOverlapping) {
  const std::string text = numbered_text(300'000);
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
    for (long at = 290'000; at >= 0; at -= 10'000) {
      const std::size_t size = std::min<std::size_t>(15'000, text.size() - static_cast<size_t>(at));
      scene.call("pwrite", ::pwrite(fd.get(), text.data() + at, size, at));
    }
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Write, LargeOnes) {
  const std::string text = numbered_text(3'000'000);
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
    scene.call("write", ::write(fd.get(), text.data(), text.size()));
    scene.call("write", ::write(fd.get(), text.data(), text.size()));
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Write, FromSeveralBuffers) {
  std::string first = "one";
  std::string second = "twothree";
  const std::array<iovec, 2> parts{iovec{first.data(), 3}, iovec{second.data(), 8}};
  {
    const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
    scene.call("writev", ::writev(fd.get(), parts.data(), 2));
    scene.call("pwritev", ::pwritev(fd.get(), parts.data(), 2, 20));
  }
  scene.stored("stored", "file");
}

POSIX_CASE(Write, BadArguments) {
  const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
  scene.call("nothing", ::write(fd.get(), "", 0));
  scene.call("negative offset", ::pwrite(fd.get(), "x", 1, -1));
  scene.fstat("unchanged", fd.get());
}

POSIX_CASE(Write, DirectIoReachesTheServer) {
  constexpr std::size_t kPage = 4096;
  const std::string text = numbered_text(8 * kPage);
  const UniqueFd fd = scene.open("O_DIRECT", "file", O_RDWR | O_CREAT | O_DIRECT);
  const std::unique_ptr<void, void (*)(void*)> pages(std::aligned_alloc(kPage, 8 * kPage),
                                                     &std::free);
  std::memcpy(pages.get(), text.data(), text.size());
  scene.call("pwrite", ::pwrite(fd.get(), pages.get(), 8 * kPage, 0));
  scene.call("pwrite inside", ::pwrite(fd.get(), pages.get(), kPage, 2 * kPage));
  scene.contents("through another descriptor", "file");
}

POSIX_CASE(Write, ClearsSetUserIdBits) {
  scene.make_dir("open", 0777);
  scene.make_file("suid", "text", 06777);
  {
    const UniqueFd fd = scene.must_open("suid", O_WRONLY);
    scene.call("write", ::write(fd.get(), "T", 1));
  }
  scene.contents("contents", "suid");
}

POSIX_CASE(Write, SynchronousFlags) {
  for (const int flag : {O_SYNC, O_DSYNC}) {
    const UniqueFd fd = scene.open("open", "file", O_WRONLY | O_CREAT | flag);
    scene.call("write", ::write(fd.get(), "0123456789", 10));
    scene.stored("stored before close", "file");
  }
}

}  // namespace
}  // namespace sftpfs::test
