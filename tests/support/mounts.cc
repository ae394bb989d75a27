// See mounts.h.
#include "support/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

#include "base/unique_fd.h"
#include "support/process.h"
#include "support/test_error.h"

namespace sftpfs::test {

namespace {

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool is_below(const std::string& path, const std::string& top) {
  return path == top || path.compare(0, top.size() + 1, top + "/") == 0;
}

// Waits for `wanted` state of `path`; the kernel reports each change of the table as POLLPRI.
bool wait_for(const std::string& path, bool wanted, const Deadline& deadline, int stop_fd) {
  const UniqueFd table(must(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), "mountinfo"));
  while (true) {
    if (mount_at(path).has_value() == wanted) return true;
    if (deadline.passed()) return false;
    std::array<pollfd, 2> fds{pollfd{table.get(), POLLPRI, 0}, pollfd{stop_fd, POLLIN, 0}};
    ::poll(fds.data(), fds.size(), deadline.remaining_ms());
    if (fds[1].revents != 0) return mount_at(path).has_value() == wanted;
  }
}

}  // namespace

std::vector<MountEntry> mounted() {
  std::ifstream table("/proc/self/mountinfo");
  std::vector<MountEntry> entries;
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string skip;
    std::string path;
    std::string options;
    std::string super_options;
    MountEntry entry;
    words >> skip >> skip >> skip >> skip >> path >> options;
    while (words >> skip && skip != "-") {
    }
    words >> entry.type >> entry.source >> super_options;
    entry.mount_point = unescape(path);
    entry.source = unescape(entry.source);
    entry.options = options + "," + super_options;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::optional<MountEntry> mount_at(const std::string& path) {
  std::optional<MountEntry> topmost;
  for (MountEntry& entry : mounted()) {
    if (entry.mount_point == path) topmost = std::move(entry);
  }
  return topmost;
}

bool wait_mounted(const std::string& path, const Deadline& deadline, int stop_fd) {
  return wait_for(path, true, deadline, stop_fd);
}

bool wait_unmounted(const std::string& path, const Deadline& deadline) {
  return wait_for(path, false, deadline, -1);
}

void detach_below(const std::string& path) {
  const std::vector<MountEntry> entries = mounted();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (!is_below(entry->mount_point, path)) continue;
    if (::umount2(entry->mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    run({"fusermount3", "-u", "-z", entry->mount_point});
  }
}

}  // namespace sftpfs::test
