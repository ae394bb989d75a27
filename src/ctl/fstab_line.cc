// See fstab_line.h.
#include "ctl/fstab_line.h"

#include <fmt/core.h>

namespace sftpfs::ctl {
namespace {

// _netdev: systemd takes a type it does not know for a local disk, and would mount it before there
// is a network and unmount it after. nofail: a server that is away is no reason not to boot.
constexpr std::string_view kUsualWords =
    "_netdev,nofail,x-systemd.automount,x-systemd.idle-timeout=10min,x-systemd.mount-timeout=30s";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' ||
         c == '_' || c == '.';
}

// In a unit % begins a specifier. It cannot hold control characters at all, and somebody else's
// mount must not add a line.
std::string unit_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      continue;
    }
    if (c == '%') escaped.push_back('%');
    escaped.push_back(c);
  }
  return escaped;
}

}  // namespace

std::string fstab_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\\' || c == '#') {
      escaped += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

std::string unit_name(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return "-";
  std::string name;
  for (const char c : path) {
    if (c == '/') {
      name.push_back('-');
    } else if (is_plain(c) && !(c == '.' && name.empty())) {
      name.push_back(c);
    } else {
      name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return name;
}

std::string fstab_line(const FstabRequest& request) {
  std::string options(kUsualWords);
  if (!request.options.empty()) options += "," + request.options;
  return fmt::format("{} {} sftpfs {} 0 0\n", fstab_escape(request.source),
                     fstab_escape(request.mountpoint), fstab_escape(options));
}

std::string mount_unit(const FstabRequest& request) {
  std::string options = "_netdev";
  if (!request.options.empty()) options += "," + request.options;
  return fmt::format(
      "[Unit]\n"
      "Description={} on {}\n"
      "After=network-online.target\n"
      "Wants=network-online.target\n"
      "\n"
      "[Mount]\n"
      "What={}\n"
      "Where={}\n"
      "Type=sftpfs\n"
      "Options={}\n"
      "TimeoutSec=60\n"
      "\n"
      "[Install]\n"
      "WantedBy=remote-fs.target\n",
      unit_escape(request.source), unit_escape(request.mountpoint), unit_escape(request.source),
      unit_escape(request.mountpoint), unit_escape(options));
}

}  // namespace sftpfs::ctl
