// See cgroup.h.
#include "fault/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "base/unique_fd.h"
#include "support/mounts.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

void put(const std::string& path, const std::string& text) {
  const UniqueFd fd(must(::open(path.c_str(), O_WRONLY | O_CLOEXEC), path));
  must(::write(fd.get(), text.data(), text.size()), path);
}

std::string new_group(const std::string& hierarchy) {
  std::string path = hierarchy + "/sftpfs-test-XXXXXX";
  return ::mkdtemp(path.data()) == nullptr ? std::string() : path;
}

}  // namespace

std::optional<std::string> Cgroup::find_hierarchy() {
  for (const MountEntry& entry : mounted()) {
    if (entry.type != "cgroup2") continue;
    const std::string group = new_group(entry.mount_point);
    if (group.empty()) continue;
    const bool freezes = ::access((group + "/cgroup.freeze").c_str(), W_OK) == 0;
    ::rmdir(group.c_str());
    if (freezes) return entry.mount_point;
  }
  return std::nullopt;
}

Cgroup::Cgroup(const std::string& hierarchy) : path_(new_group(hierarchy)) {
  if (path_.empty()) throw_errno("a control group below " + hierarchy);
}

Cgroup::~Cgroup() {
  const UniqueFd fd(::open((path_ + "/cgroup.freeze").c_str(), O_WRONLY | O_CLOEXEC));
  (void)!::write(fd.get(), "0", 1);
  ::rmdir(path_.c_str());
}

void Cgroup::add(pid_t pid) { put(path_ + "/cgroup.procs", std::to_string(pid)); }
void Cgroup::freeze() { put(path_ + "/cgroup.freeze", "1"); }
void Cgroup::thaw() { put(path_ + "/cgroup.freeze", "0"); }

// The file reports each change as POLLPRI to who has read it before.
bool Cgroup::wait_frozen(const Deadline& deadline) const {
  const std::string path = path_ + "/cgroup.events";
  const UniqueFd events(must(::open(path.c_str(), O_RDONLY | O_CLOEXEC), path));
  while (true) {
    std::array<char, 256> text{};
    const ssize_t count = must(::pread(events.get(), text.data(), text.size() - 1, 0), path);
    const std::string read(text.data(), static_cast<std::size_t>(count));
    if (read.find("frozen 1") != std::string::npos) return true;
    if (deadline.passed()) return false;
    pollfd changed{events.get(), POLLPRI, 0};
    ::poll(&changed, 1, deadline.remaining_ms());
  }
}

}  // namespace sftpfs::test
