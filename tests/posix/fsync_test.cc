// fsync(2), fdatasync(2), syncfs(2), sync_file_range(2).
#include <fcntl.h>
#include <unistd.h>

#include "posix/parity.h"
#include "posix/text.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Fsync, every_server());

POSIX_CASE(Fsync, StoresWhatWasWritten) {
  const std::string text = numbered_text(300'000);
  const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
  scene.call("write", ::write(fd.get(), text.data(), text.size()));
  scene.call("fsync", ::fsync(fd.get()));
  scene.stored("stored before close", "file");
  scene.call("write", ::write(fd.get(), "more", 4));
  scene.call("fdatasync", ::fdatasync(fd.get()));
  scene.stored("stored before close", "file");
}

POSIX_CASE(Fsync, WorksOnReadersAndDirectories) {
  scene.make_file("file", "text");
  const UniqueFd reader = scene.must_open("file", O_RDONLY);
  scene.call("reader", ::fsync(reader.get()));
  const UniqueFd dir = scene.must_open(".", O_RDONLY | O_DIRECTORY);
  scene.call("directory", ::fsync(dir.get()));
  scene.call("directory's data", ::fdatasync(dir.get()));
}

POSIX_CASE(Fsync, OfTheWholeFileSystem) {
  const UniqueFd fd = scene.must_open("file", O_WRONLY | O_CREAT);
  scene.call("write", ::write(fd.get(), "text", 4));
  scene.call("range", ::sync_file_range(fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE));
  scene.call("syncfs", ::syncfs(fd.get()));
}

}  // namespace
}  // namespace sftpfs::test
