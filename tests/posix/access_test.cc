// access(2) and faccessat(2), and executing what a mount holds.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix/parity.h"
#include "support/process.h"

namespace sftpfs::test {
namespace {

POSIX_SUITE(Access, every_mount());
POSIX_SUITE(AccessPermission, shared_mounts());

void ask_everything(Scene& scene) {
  for (const char* name : {"file", "program", "secret", "dir", "closed", "missing"}) {
    for (const int mode : {F_OK, R_OK, W_OK, X_OK, R_OK | W_OK, R_OK | X_OK}) {
      scene.call(name, ::access(scene.path(name).c_str(), mode));
    }
  }
}

POSIX_CASE(Access, ExistingAndMissing) {
  scene.make_file("file", "text", 0644);
  scene.make_link("missing", "dangling");
  scene.call("file", ::access(scene.path("file").c_str(), F_OK));
  scene.call("readable", ::access(scene.path("file").c_str(), R_OK));
  scene.call("missing", ::access(scene.path("missing").c_str(), F_OK));
  scene.call("below a file", ::access(scene.path("file/name").c_str(), F_OK));
  scene.call("dangling", ::access(scene.path("dangling").c_str(), F_OK));
  scene.call("the link itself",
             ::faccessat(AT_FDCWD, scene.path("dangling").c_str(), F_OK, AT_SYMLINK_NOFOLLOW));
  scene.call("bad mode", ::access(scene.path("file").c_str(), 64));
}

POSIX_CASE(Access, RunsProgrammes) {
  scene.make_file("script", "#!/bin/sh\necho \"ran $1\"\n", 0755);
  scene.make_file("data", "#!/bin/sh\necho ran\n", 0644);
  scene.note("script", run({scene.path("script"), "it"}).output);
  scene.note("without x", run({scene.path("data")}).exit_code);
  const Outcome copied = run({"cp", "/bin/true", scene.path("true")});
  scene.note("cp", copied.exit_code);
  scene.note("binary", run({scene.path("true")}).exit_code);
}

POSIX_CASE(AccessPermission, ForEveryUser) {
  scene.make_file("file", "text", 0644);
  scene.make_file("program", "text", 0755);
  scene.make_file("secret", "text", 0600);
  scene.make_dir("dir", 0755);
  scene.make_dir("closed", 0700);
  ask_everything(scene);
  scene.as_user(kOtherUser, ask_everything);
}

}  // namespace
}  // namespace sftpfs::test
