// See remount.h.
#include "app/remount.h"

#include <fmt/core.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "app/apply_options.h"
#include "app/mountpoint.h"
#include "app/option_table.h"
#include "base/printable.h"
#include "ctl/client.h"
#include "ctl/mount_table.h"

namespace sftpfs::app {
namespace {

struct NamedFlag {
  std::string_view name;
  unsigned long bit;
};
constexpr std::array<NamedFlag, 7> kNamedFlags = {{{"ro", MS_RDONLY},
                                                   {"nosuid", MS_NOSUID},
                                                   {"nodev", MS_NODEV},
                                                   {"noexec", MS_NOEXEC},
                                                   {"noatime", MS_NOATIME},
                                                   {"sync", MS_SYNCHRONOUS},
                                                   {"dirsync", MS_DIRSYNC}}};

unsigned long flags_of(const MountFlags& flags) {
  unsigned long bits = 0;
  const auto add_if = [&bits](bool wanted, unsigned long bit) { bits |= wanted ? bit : 0; };
  add_if(flags.read_only, MS_RDONLY);
  add_if(flags.nosuid, MS_NOSUID);
  add_if(flags.nodev, MS_NODEV);
  add_if(flags.noexec, MS_NOEXEC);
  add_if(flags.noatime, MS_NOATIME);
  add_if(flags.sync, MS_SYNCHRONOUS);
  add_if(flags.dirsync, MS_DIRSYNC);
  return bits;
}

// "ro,nosuid,relatime" of /proc/self/mountinfo.
unsigned long flags_of(std::string_view words) {
  unsigned long bits = 0;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    for (const NamedFlag& flag : kNamedFlags) bits |= flag.name == word ? flag.bit : 0;
  }
  return bits;
}

// The mount may be read only although its file system is not (a bind mount): then they differ.
bool flags_differ(const ctl::MountEntry& entry, const MountFlags& wanted) {
  constexpr unsigned long kOfFilesystem = MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC;
  constexpr unsigned long kOfPlace = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;
  const unsigned long bits = flags_of(wanted);
  return (flags_of(entry.flags) & kOfPlace) != (bits & kOfPlace) ||
         (flags_of(entry.super_flags) & kOfFilesystem) != (bits & kOfFilesystem);
}

// mount(2)'s own, or without any effect.
bool concerns_daemon(const OptionRow& row) {
  const bool flag = row.on_remount == OnRemount::kChanges && row.section == Section::kMountFlags;
  return row.handler != nullptr && row.on_remount != OnRemount::kIgnored && !flag;
}

std::string text_of(const MountOption& word) {
  return word.value ? word.name + "=" + *word.value : word.name;
}

// Whether it says again what is so anyway.
Result<bool> changes_nothing(const std::vector<MountOption>& given, const MountOption& word) {
  if (std::find(given.begin(), given.end(), word) != given.end()) return true;
  // What mount(8) takes from /proc/mounts instead of fstab are words of the kernel, which knows one
  // of the two.
  const auto lets_root_in = [](const MountOption& each) { return each.name == "allow_root"; };
  if (word.name == "allow_other" && std::any_of(given.begin(), given.end(), lets_root_in)) {
    return true;
  }
  ParsedOptions before;
  Status applied = apply_options(given, true, before);
  ParsedOptions after = before;
  if (applied) applied = apply_options({word}, false, after);
  if (!applied) return fail(applied.error());
  return after.config == before.config;
}

tl::unexpected<Error> cannot_change(const std::vector<MountOption>& given,
                                    const MountOption& word) {
  const auto same_name = [&word](const MountOption& each) { return each.name == word.name; };
  const auto before = std::find_if(given.rbegin(), given.rend(), same_name);
  const std::string now =
      before == given.rend() ? "" : fmt::format(" (now {})", printable(text_of(*before)));
  return fail(
      ErrorCode::kInvalid,
      fmt::format("option '{}' cannot change while it is mounted{}; unmount and mount again",
                  printable(text_of(word)), now));
}

// The mount by its name alone: its server may be silent, and looking at it take forever.
std::optional<ctl::MountEntry> find_unseen(const std::vector<ctl::MountEntry>& table,
                                           std::filesystem::path path) {
  if (!path.has_filename()) path = path.parent_path();
  if (path.filename() == "." || path.filename() == "..") return std::nullopt;
  std::error_code failure;
  const std::filesystem::path above = path.has_parent_path() ? path.parent_path() : ".";
  const std::filesystem::path parent = std::filesystem::canonical(above, failure);
  if (failure) return std::nullopt;
  return ctl::find_mount(table, (parent / path.filename()).string());
}

Result<ctl::MountEntry> mount_there(const Config& asked) {
  const Result<std::vector<ctl::MountEntry>> table = ctl::read_mount_table();
  if (!table) return fail(table.error());
  std::optional<ctl::MountEntry> top = find_unseen(*table, asked.mountpoint);
  if (!top) {
    const Result<std::string> path = mountpoint_path(asked.mountpoint);
    if (!path) return fail(path.error());
    top = ctl::find_mount(*table, *path);
  }
  if (!top || !top->type.starts_with("fuse.")) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("mount point '{}': nothing of ours is mounted there",
                            printable(asked.mountpoint)));
  }
  if (top->source != asked.source.text && top->source != fsname_of(asked)) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("mount point '{}': {} is mounted there, not {}", printable(asked.mountpoint),
                    printable(top->source), printable(asked.source.text)));
  }
  return std::move(*top);
}

Status change_flags(const ctl::MountEntry& entry, const MountFlags& wanted) {
  if (!flags_differ(entry, wanted)) return {};
  const unsigned long flags = MS_REMOUNT | flags_of(wanted);
  if (::mount(entry.source.c_str(), entry.directory.c_str(), "fuse", flags, nullptr) == 0) {
    return {};
  }
  const Error cause = Error::system(
      errno, fmt::format("remounting '{}' with other flags", printable(entry.directory)));
  if (errno != EBUSY) return fail(cause);
  return fail(ErrorCode::kBusy, cause.describe() + " (a file is open for writing)");
}

// The daemon's end of one remount.
class Daemon {
 public:
  explicit Daemon(std::string socket) : socket_(std::move(socket)) {}

  Result<std::vector<MountOption>> given_words() const {
    const Result<nlohmann::json> answer = ctl::ask_once(socket_, "options");
    if (!answer) return fail(answer.error());
    const auto words = answer->find("options");
    if (words == answer->end() || !words->is_string()) {
      return fail(ErrorCode::kProtocol, "the mount's answer names no options");
    }
    return split_options(words->get<std::string>());
  }

  Status change(const std::vector<MountOption>& words, bool only_check) const {
    Result<ctl::Client> client = ctl::Client::connect(socket_);
    if (!client) return fail(client.error());
    const Result<nlohmann::json> done = client->ask(
        {{"command", "remount"}, {"options", line_of(words)}, {"only", only_check ? "check" : ""}});
    return done ? Status() : fail(done.error());
  }

 private:
  std::string socket_;
};

}  // namespace

std::string line_of(const std::vector<MountOption>& words) {
  std::string line;
  for (const MountOption& word : words) {
    if (!line.empty()) line.push_back(',');
    line += word.name;
    if (!word.value) continue;
    line.push_back('=');
    for (const char c : *word.value) {
      const auto byte = static_cast<unsigned char>(c);
      const bool plain =
          byte < 0x80 &&
          (std::isalnum(byte) != 0 || std::string_view("/._-").find(c) != std::string_view::npos);
      line += plain ? std::string(1, c) : fmt::format("\\{:03o}", byte);
    }
  }
  return line;
}

Result<std::vector<MountOption>> words_to_change(const std::vector<MountOption>& given,
                                                 const std::vector<MountOption>& asked) {
  std::vector<MountOption> changes;
  for (const MountOption& word : asked) {
    const OptionRow* row = find_option(word.name);
    if (row == nullptr || !concerns_daemon(*row)) continue;
    if (row->on_remount == OnRemount::kChanges) {
      changes.push_back(word);
      continue;
    }
    const Result<bool> same = changes_nothing(given, word);
    if (!same) return fail(same.error());
    if (!*same) return cannot_change(given, word);
  }
  return changes;
}

Result<Config> remounted(const Config& current, const std::vector<MountOption>& words) {
  for (const MountOption& word : words) {
    const OptionRow* row = find_option(word.name);
    if (row == nullptr || row->on_remount != OnRemount::kChanges)
      return cannot_change(current.words, word);
  }
  ParsedOptions next;
  next.config = current;
  next.config.log_level.reset();
  Status done = apply_options(words, false, next);
  if (done) done = validate(next.config);
  if (!done) return fail(done.error());
  const bool ahead = next.config.durability == Promise::kFsync;
  if (ahead != (current.durability == Promise::kFsync)) {
    return cannot_change({{"durability", ahead ? "not fsync" : "fsync"}},
                         {"durability", ahead ? "fsync" : "close"});
  }
  return std::move(next.config);
}

Result<std::string> remount(const Config& asked) {
  const Result<ctl::MountEntry> there = mount_there(asked);
  if (!there) return fail(there.error());
  const auto any_word = [&asked](auto&& predicate) {
    return std::any_of(asked.words.begin(), asked.words.end(), [&](const MountOption& word) {
      const OptionRow* row = find_option(word.name);
      return row != nullptr && concerns_daemon(*row) && predicate(*row);
    });
  };
  const bool for_daemon =
      any_word([](const OptionRow& row) { return row.on_remount == OnRemount::kChanges; });
  std::string note;
  std::vector<MountOption> changes;
  const Result<std::string> socket = ctl::socket_for(there->directory);
  const Daemon daemon(socket.value_or(""));
  if (any_word([](const OptionRow&) { return true; })) {
    const Result<std::vector<MountOption>> given =
        socket ? daemon.given_words() : fail(socket.error());
    if (!given && for_daemon) return fail(given.error());
    if (!given) note = "only the flags are changed: " + given.error().describe();
    Result<std::vector<MountOption>> found =
        given ? words_to_change(*given, asked.words) : std::vector<MountOption>();
    if (!found) return fail(found.error());
    changes = std::move(*found);
  }
  Status done = changes.empty() ? Status() : daemon.change(changes, true);
  if (done) done = change_flags(*there, asked.flags);
  if (done && !changes.empty()) done = daemon.change(changes, false);
  if (!done) return fail(done.error());
  return note;
}

}  // namespace sftpfs::app
