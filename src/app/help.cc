// See help.h.
#include "app/help.h"

#include <fmt/core.h>

#include <array>

#include "app/option_table.h"

#ifndef SFTPFS_VERSION
#error "the build defines SFTPFS_VERSION"
#endif

namespace sftpfs::app {
namespace {

constexpr std::size_t kNameColumns = 34;

struct Heading {
  Section section;
  std::string_view text;
};
constexpr std::array<Heading, 7> kHeadings = {{
    {Section::kGeneral, "General:"},
    {Section::kConnection, "Connection:"},
    {Section::kAccess, "Owners, modes and links:"},
    {Section::kCaching, "Caching:"},
    {Section::kSsh, "ssh_config(5), names in any case:"},
    {Section::kMountFlags, "Flags of mount(8):"},
    {Section::kCompatibility, "Accepted for compatibility with mount(8), sshfs and libfuse:"},
}};

std::string_view remark(Support support) {
  switch (support) {
    case Support::kFull: return "";
    case Support::kNoEffect: return "[accepted] ";
    case Support::kMissing: return "[accepted with a warning] ";
    case Support::kRefused: return "[refused] ";
    case Support::kSshHint: return "[ssh; libssh2 ignores it] ";
    case Support::kSshOnly: return "[transport=ssh] ";
  }
  return "";
}

std::string usage_of(const OptionRow& row) {
  if (!row.takes_value()) return std::string(row.name);
  if (row.needs_value()) return fmt::format("{}={}", row.name, row.placeholder);
  return fmt::format("{}[={}", row.name, row.placeholder.substr(1));
}

void append_rows(std::string& text, std::span<const OptionRow> rows, Section section) {
  for (const OptionRow& row : rows) {
    if (row.section != section) continue;
    const std::string_view changes = row.on_remount == OnRemount::kChanges ? "[remount] " : "";
    text += fmt::format("  {:<{}} {}{}{}\n", usage_of(row), kNameColumns, remark(row.support),
                        changes, row.help);
  }
}

}  // namespace

std::string usage_text() {
  return "usage: sftpfs [user@]host:[directory] mountpoint [options]   (see sftpfs -h)";
}

std::string version_text() { return fmt::format("sftpfs {}\n", SFTPFS_VERSION); }

std::string help_text() {
  std::string text =
      "usage: sftpfs [user@]host:[directory] mountpoint [options]\n"
      "       mount -t sftpfs [user@]host:[directory] mountpoint [-o options]\n"
      "\n"
      "  -o name[=value],...   options, see below; commas in values: \\, or \"a,b\"\n"
      "  -p PORT               port of the server\n"
      "  -F FILE               read this instead of ~/.ssh/config\n"
      "  -C                    compress\n"
      "  -f                    stay in the foreground\n"
      "  -d                    stay in the foreground and log what happens\n"
      "  -s                    one thread (workers=1)\n"
      "  -v                    say more while mounting\n"
      "  -h, --help            this text\n"
      "  -V, --version         the version\n"
      "\n"
      "As mount.sftpfs, called by mount(8): -f checks and mounts nothing, -s ignores unknown\n"
      "options, -v says more, -r and -w are ro and rw, -n and -t are accepted.\n";
  for (const Heading& heading : kHeadings) {
    text += fmt::format("\n{}\n", heading.text);
    append_rows(text, mount_option_rows(), heading.section);
    append_rows(text, ssh_option_rows(), heading.section);
  }
  return text;
}

}  // namespace sftpfs::app
