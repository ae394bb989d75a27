// What SFTP cannot do: the errno is the one a local file system without the feature gives.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Unsupported, every_mount());

constexpr const char* kNoXattr = "extended attributes are EOPNOTSUPP: SFTP has none";
constexpr const char* kNoFallocate =
    "fallocate is EOPNOTSUPP: SFTP can neither reserve space nor make holes";
constexpr const char* kNoNodes =
    "mknod of pipes, sockets and devices is EPERM: SFTP makes files, directories and links";

POSIX_CASE(Unsupported, SpecialFiles) {
  for (const mode_t type : {S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK}) {
    scene.differs(kNoNodes);
    scene.call("mknod", ::mknod(scene.path("node").c_str(), type | 0644, 0));
    ::unlink(scene.path("node").c_str());
  }
  scene.list("nothing is left", ".");
}

POSIX_CASE(Unsupported, SocketsCannotBeBound) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The scene's path may be too long for a socket's address.
  const UniqueFd dir = scene.must_open(".", O_RDONLY | O_DIRECTORY);
  const std::string path = "/proc/self/fd/" + std::to_string(dir.get()) + "/socket";
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  scene.differs(kNoNodes);
  scene.call("bind",
             ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

POSIX_CASE(Unsupported, ExtendedAttributes) {
  scene.make_file("file", "text");
  const std::string path = scene.path("file");
  std::array<char, 100> value{};
  scene.differs(kNoXattr);
  scene.call("setxattr", ::setxattr(path.c_str(), "user.name", "value", 5, 0));
  scene.differs(kNoXattr);
  scene.call("getxattr", ::getxattr(path.c_str(), "user.name", value.data(), value.size()));
  scene.differs(kNoXattr);
  scene.call("listxattr", ::listxattr(path.c_str(), value.data(), value.size()));
  scene.differs(kNoXattr);
  scene.call("removexattr", ::removexattr(path.c_str(), "user.name"));
}

POSIX_CASE(Unsupported, Fallocate) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  scene.differs(kNoFallocate);
  scene.call("reserve", ::fallocate(fd.get(), 0, 0, 100'000));
  scene.call("truncate", ::ftruncate(fd.get(), 100'000));
  scene.differs(kNoFallocate);
  scene.call("hole", ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536));
  scene.fstat("size", fd.get());
}

POSIX_CASE(Unsupported, ButTheLibraryReservesByWriting) {
  const UniqueFd fd = scene.must_open("file", O_RDWR | O_CREAT);
  scene.note("posix_fallocate", static_cast<long>(::posix_fallocate(fd.get(), 0, 100'000)));
  scene.fstat("size", fd.get());
}

}  // namespace
}  // namespace sftpfs::test
