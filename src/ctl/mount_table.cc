// See mount_table.h.
#include "ctl/mount_table.h"

#include <cerrno>
#include <fstream>
#include <sstream>

namespace sftpfs::ctl {
namespace {

// The kernel writes blank, tab, newline and backslash as \040 and so on.
std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool octal = text[i] == '\\' && i + 3 < text.size() &&
                       text.substr(i + 1, 3).find_first_not_of("01234567") == text.npos;
    if (!octal) {
      decoded.push_back(text[i]);
      continue;
    }
    const int byte = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
    decoded.push_back(static_cast<char>(byte));
    i += 3;
  }
  return decoded;
}

std::vector<std::string_view> split_at(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// 36 35 98:0 /root /mnt/dir rw,noatime master:1 - ext3 /dev/root rw
std::optional<MountEntry> parse_line(std::string_view line) {
  constexpr std::size_t kDeviceField = 2;
  constexpr std::size_t kDirectoryField = 4;
  constexpr std::size_t kFlagsField = 5;
  constexpr std::size_t kFirstOptionalField = 6;
  const std::vector<std::string_view> fields = split_at(line, ' ');
  for (std::size_t i = kFirstOptionalField; i + 2 < fields.size(); ++i) {
    if (fields[i] != "-" || !fields[kDirectoryField].starts_with('/')) continue;
    return MountEntry{decode(fields[kDirectoryField]),
                      decode(fields[i + 1]),
                      decode(fields[i + 2]),
                      std::string(fields[kDeviceField]),
                      std::string(fields[kFlagsField]),
                      std::string(i + 3 < fields.size() ? fields[i + 3] : "")};
  }
  return std::nullopt;
}

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> table;
  for (const std::string_view line : split_at(text, '\n')) {
    std::optional<MountEntry> entry = parse_line(line);
    if (entry) table.push_back(std::move(*entry));
  }
  return table;
}

Result<std::vector<MountEntry>> read_mount_table() {
  const std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) return fail(Error::system(EIO, "/proc/self/mountinfo"));
  return parse_mountinfo(text.str());
}

std::optional<MountEntry> find_mount(const std::vector<MountEntry>& table,
                                     std::string_view directory) {
  for (auto entry = table.rbegin(); entry != table.rend(); ++entry) {
    if (entry->directory == directory) return *entry;
  }
  return std::nullopt;
}

std::optional<MountEntry> find_mount_of(const std::vector<MountEntry>& table,
                                        std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  while (true) {
    std::optional<MountEntry> found = find_mount(table, path.empty() ? "/" : path);
    if (found || path.empty()) return found;
    path = path.substr(0, path.rfind('/'));
  }
}

}  // namespace sftpfs::ctl
