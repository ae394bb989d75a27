// copy_file_range(2), and cp(1) which uses it.
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"
#include "posix/text.h"
#include "support/process.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(CopyRange, every_server());

// Copies until `size` bytes or the end; the kernel may take them in pieces.
long copy_all(int from, off_t from_offset, int to, off_t to_offset, std::size_t size) {
  long total = 0;
  while (size > 0) {
    const ssize_t count = ::copy_file_range(from, &from_offset, to, &to_offset, size, 0);
    if (count < 0) return total == 0 ? -1 : total;
    if (count == 0) break;
    total += count;
    size -= static_cast<std::size_t>(count);
  }
  return total;
}

POSIX_CASE(CopyRange, WholeFile) {
  scene.make_file("from", numbered_text(700'001));
  {
    const UniqueFd from = scene.must_open("from", O_RDONLY);
    const UniqueFd to = scene.must_open("to", O_RDWR | O_CREAT);
    scene.call("copy", copy_all(from.get(), 0, to.get(), 0, 10'000'000));
    scene.fstat("size", to.get());
    scene.read_at("read at once", to.get(), 600'000, 200'000);
  }
  scene.stored("stored", "to");
}

POSIX_CASE(CopyRange, IntoTheMiddle) {
  scene.make_file("from", numbered_text(300'000));
  scene.make_file("to", std::string(400'000, '.'));
  {
    const UniqueFd from = scene.must_open("from", O_RDONLY);
    const UniqueFd to = scene.must_open("to", O_RDWR);
    scene.read_at("cached before", to.get(), 0, 400'000);
    scene.call("copy", copy_all(from.get(), 1'001, to.get(), 50'003, 200'005));
    scene.read_at("read", to.get(), 0, 400'000);
    scene.call("beyond the end", copy_all(from.get(), 299'990, to.get(), 399'995, 100));
  }
  scene.stored("stored", "to");
}

POSIX_CASE(CopyRange, OfWhatWasJustWritten) {
  const std::string text = numbered_text(300'000);
  const UniqueFd from = scene.must_open("from", O_RDWR | O_CREAT);
  const UniqueFd to = scene.must_open("to", O_RDWR | O_CREAT);
  scene.call("write", ::write(from.get(), text.data(), text.size()));
  scene.call("copy", copy_all(from.get(), 0, to.get(), 0, text.size()));
  scene.call("overwrite the source", ::pwrite(from.get(), "XXXX", 4, 10));
  scene.read_at("copy keeps the old", to.get(), 0, 100);
}

POSIX_CASE(CopyRange, WithinOneFile) {
  scene.make_file("file", numbered_text(100'000));
  const UniqueFd fd = scene.must_open("file", O_RDWR);
  scene.call("apart", copy_all(fd.get(), 0, fd.get(), 200'000, 100'000));
  scene.call("overlapping", copy_all(fd.get(), 0, fd.get(), 10, 100));
  scene.contents("contents", "file");
}

POSIX_CASE(CopyRange, BadArguments) {
  scene.make_file("from", "text");
  const UniqueFd from = scene.must_open("from", O_RDONLY);
  const UniqueFd to = scene.must_open("to", O_RDWR | O_CREAT);
  const UniqueFd appender = scene.must_open("to", O_WRONLY | O_APPEND);
  scene.call("from a writer", copy_all(appender.get(), 0, to.get(), 0, 4));
  scene.call("to a reader", copy_all(to.get(), 0, from.get(), 0, 4));
  scene.call("to an appender", copy_all(from.get(), 0, appender.get(), 0, 4));
  scene.call("beyond the end", copy_all(from.get(), 100, to.get(), 0, 4));
}

POSIX_CASE(CopyRange, ByCp) {
  scene.make_file("from", numbered_text(2'000'000), 0604);
  scene.note("cp", run({"cp", "-p", scene.path("from"), scene.path("to")}).exit_code);
  scene.contents("copy", "to");
  scene.stat("copy", "to");
}

}  // namespace
}  // namespace sftpfs::test
