// See command_line.h.
#include "app/command_line.h"

#include <fmt/core.h>

#include "app/apply_options.h"
#include "app/argument_scanner.h"
#include "app/help.h"
#include "app/option_list.h"
#include "base/printable.h"

namespace sftpfs::app {
namespace {

constexpr std::string_view kPlainLetters = "o:p:F:CfdsvhV";
constexpr std::string_view kHelperLetters = "o:t:N:fsnvrwhV";

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::kInvalid, std::move(message));
}

// What the flags say: some are short for options, which then are applied in their order.
struct Meaning {
  bool help = false;
  bool version = false;
  bool sloppy = false;
  std::vector<MountOption> options;
};

Status add_words(std::string_view text, Meaning& meaning) {
  Result<std::vector<MountOption>> options = split_options(text);
  if (!options) return fail(options.error());
  for (MountOption& option : *options) meaning.options.push_back(std::move(option));
  return {};
}

Status understand_plain(const Flag& flag, Config& config, Meaning& meaning) {
  switch (flag.letter) {
    case 'p': meaning.options.push_back({"Port", flag.value}); break;
    case 'C': meaning.options.push_back({"Compression", "yes"}); break;
    case 'd': meaning.options.push_back({"debug", std::nullopt}); break;
    case 's': meaning.options.push_back({"workers", "1"}); break;
    case 'f': config.foreground = true; break;
    case 'F': config.ssh_config_file = flag.value; break;
    default: return wrong(fmt::format("unknown flag '-{}'", flag.letter));
  }
  return {};
}

Status understand_helper(const Flag& flag, Config& config, Meaning& meaning) {
  switch (flag.letter) {
    case 'f': config.fake = true; break;
    case 's': meaning.sloppy = true; break;
    case 'r': meaning.options.push_back({"ro", std::nullopt}); break;
    case 'w': meaning.options.push_back({"rw", std::nullopt}); break;
    case 'n':  // there is no mtab to leave alone
    case 't':  // only one type is ours, however mount(8) spells it
      break;
    case 'N': config.mount_namespace = flag.value; break;
    default: return wrong(fmt::format("unknown flag '-{}'", flag.letter));
  }
  return {};
}

Status understand(const Flag& flag, bool helper, Config& config, Meaning& meaning) {
  switch (flag.letter) {
    case 'h': meaning.help = true; return {};
    case 'V': meaning.version = true; return {};
    case 'v': config.verbose = true; return {};
    case 'o': return add_words(flag.value, meaning);
    default:
      return helper ? understand_helper(flag, config, meaning)
                    : understand_plain(flag, config, meaning);
  }
}

Status take_operands(const std::vector<std::string>& operands, Config& config) {
  if (operands.empty()) return wrong("missing source and mount point (see sftpfs -h)");
  // What is mounted already says what it likes (fsname=) about its source.
  Result<Source> source =
      config.remount ? Source{operands[0], {}, {}, {}} : parse_source(operands[0]);
  if (!source) return fail(source.error());
  const bool host_needed = !config.vsock && !config.passive && !config.remount;
  if (host_needed && source->host.empty()) {
    return wrong(fmt::format("source '{}': empty host name (expected [user@]host:[directory])",
                             printable(operands[0])));
  }
  if (operands.size() < 2) return wrong("missing mount point (see sftpfs -h)");
  if (operands.size() > 2) {
    return wrong(fmt::format("'{}': more than a source and a mount point (see sftpfs -h)",
                             printable(operands[2])));
  }
  if (operands[1].empty()) return wrong("the mount point is an empty name");
  config.source = std::move(*source);
  config.mountpoint = operands[1];
  return {};
}

}  // namespace

bool called_as_mount_helper(std::string_view argv0) {
  const std::size_t slash = argv0.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? argv0 : argv0.substr(slash + 1);
  return name.starts_with("mount.");
}

Result<CommandLine> parse_command_line(std::span<const char* const> arguments) {
  if (arguments.size() < 2) return wrong(usage_text());
  const bool helper = called_as_mount_helper(arguments.front());
  const Result<Words> words =
      scan_arguments(arguments.subspan(1), helper ? kHelperLetters : kPlainLetters);
  if (!words) return fail(words.error());

  ParsedOptions parsed;
  Meaning meaning;
  for (const Flag& flag : words->flags) {
    const Status understood = understand(flag, helper, parsed.config, meaning);
    if (!understood) return fail(understood.error());
  }
  CommandLine line;
  if (meaning.help || meaning.version) {
    line.action = meaning.help ? Action::kHelp : Action::kVersion;
    return line;
  }
  parsed.config.sloppy = meaning.sloppy;

  Status done = apply_options(meaning.options, meaning.sloppy, parsed);
  if (done) done = take_operands(words->operands, parsed.config);
  if (done) done = validate(parsed.config);
  if (!done) return fail(done.error());

  line.action = parsed.config.remount ? Action::kRemount : Action::kMount;
  line.config = std::move(parsed.config);
  line.config.words = std::move(meaning.options);
  line.warnings = std::move(parsed.warnings);
  return line;
}

}  // namespace sftpfs::app
