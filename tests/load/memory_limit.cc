// See memory_limit.h.
#include "load/memory_limit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/unique_fd.h"
#include "support/mounts.h"

namespace sftpfs::test {
namespace {

bool put(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

std::optional<MemoryLimit> MemoryLimit::make(std::size_t bytes) {
  for (const MountEntry& entry : mounted()) {
    if (!entry.type.starts_with("cgroup")) continue;
    std::string path = entry.mount_point + "/sftpfs-test-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) continue;
    MemoryLimit limit(path);
    const std::string text = std::to_string(bytes);
    if (put(path + "/memory.max", text) || put(path + "/memory.limit_in_bytes", text)) {
      return std::optional<MemoryLimit>(std::move(limit));
    }
  }
  return std::nullopt;
}

MemoryLimit::~MemoryLimit() {
  if (!path_.empty()) ::rmdir(path_.c_str());
}

bool MemoryLimit::add(pid_t pid) const { return put(path_ + "/cgroup.procs", std::to_string(pid)); }

}  // namespace sftpfs::test
