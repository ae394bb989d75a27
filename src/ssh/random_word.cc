// See random_word.h.
#include "ssh/random_word.h"

#include <fmt/core.h>

#include <random>

namespace sftpfs::ssh {

std::string random_word() {
  std::random_device random;
  return fmt::format("sftpfs-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

}  // namespace sftpfs::ssh
