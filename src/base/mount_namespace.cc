// See mount_namespace.h.
#include "base/mount_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace sftpfs {

Status enter_mount_namespace(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd && ::setns(fd.get(), CLONE_NEWNS) == 0) return {};
  return fail(Error::system(errno, "mount namespace '" + printable(path) + "'"));
}

}  // namespace sftpfs
