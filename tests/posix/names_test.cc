// Names and paths: long ones, strange ones, deep ones.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/parity.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Names, every_server());

POSIX_CASE(Names, OfEveryLength) {
  for (const std::size_t length : {1U, 100U, 254U, 255U, 256U, 1000U}) {
    const std::string name(length, 'n');
    const std::string label = std::to_string(length);
    scene.open(label, name, O_WRONLY | O_CREAT);
    scene.stat(label, name);
    scene.call(label, ::mkdir(scene.path(name + "d").c_str(), 0755));
    scene.call(label, ::symlink("x", scene.path(name.substr(1) + "l").c_str()));
    scene.call(label, ::rename(scene.path(name).c_str(), scene.path("r" + name).c_str()));
    scene.call(label, ::unlink(scene.path(name).c_str()));
  }
}

POSIX_CASE(Names, OfEveryByte) {
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/' || byte == '.') continue;
    const std::string name(1, static_cast<char>(byte));
    scene.make_file(name, name);
    scene.contents(std::to_string(byte), name);
  }
  scene.list("listed", ".");
}

POSIX_CASE(Names, ThatAShellWouldMisread) {
  for (const char* name : {" leading",    "trailing ", "-rf",          "--",          "*",
                           "?",           "[a]",       "$HOME",        "`id`",        "a;b",
                           "a|b",         "~",         "~root",        "'quoted'",    "\"quoted\"",
                           "back\\slash", "new\nline", "tab\tstop",    "%s%n",        "#",
                           "...",         ".hidden",   "..hidden",     "con:",        "a:b",
                           "\xc3\xa4",    "a\xcc\x88", "\xff\xfe\x80", "\xe2\x80\xae"}) {
    scene.make_file(name, name);
    scene.contents("contents", name);
    scene.stored("stored", name);
    scene.call("rename", ::rename(scene.path(name).c_str(), scene.path("moved").c_str()));
    scene.call("rename back", ::rename(scene.path("moved").c_str(), scene.path(name).c_str()));
  }
  scene.list("listed", ".");
}

POSIX_CASE(Names, DifferByCase) {
  scene.make_file("Name", "upper");
  scene.make_file("name", "lower");
  scene.contents("upper", "Name");
  scene.contents("lower", "name");
  scene.stat("other", "NAME");
}

POSIX_CASE(Names, DeepPaths) {
  std::string name = "a_directory_name_000";
  for (int depth = 1; depth <= 100; ++depth) {
    scene.make_dir(name);
    name += "/a_directory_name_" + std::to_string(100 + depth);
  }
  scene.make_file(name, "deep");
  scene.contents("deep", name);
  scene.stat("deep", name);
  scene.call("too long for the kernel",
             ::access(scene.path(std::string(4096, 'x') + "/y").c_str(), F_OK));
}

POSIX_CASE(Names, DeeperThanThePathsOfTheProtocol) {
  UniqueFd dir = scene.must_open(".", O_RDONLY | O_DIRECTORY);
  const std::string name(250, 'd');
  long depth = 0;
  for (; depth < 20; ++depth) {
    if (::mkdirat(dir.get(), name.c_str(), 0755) != 0) break;
    dir.reset(::openat(dir.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) break;
  }
  scene.differs("a path is at most 4095 bytes on the server: SFTP names files by whole paths");
  scene.note("directories of 250 bytes inside each other", depth);
}

POSIX_CASE(Names, DotsAndSlashes) {
  scene.make_dir("dir");
  scene.make_file("dir/file", "text");
  for (const char* name : {"dir/./file", "dir//file", "./dir/file", "dir/../dir/file",
                           "dir/../missing", "missing/../dir/file"}) {
    scene.contents(name, name);
  }
}

}  // namespace
}  // namespace sftpfs::test
