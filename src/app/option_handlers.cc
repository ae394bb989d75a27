// See option_handlers.h.
#include "app/option_handlers.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>

namespace sftpfs::app {
namespace {

constexpr std::uint64_t kBlockSizeMin = 4 << 10;
constexpr std::uint64_t kBlockSizeMax = 4 << 20;

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::kInvalid, std::move(message));
}

template <class T>
struct Keyword {
  std::string_view word;
  T meaning;
};

template <class T, std::size_t N>
Result<T> parse_keyword(std::string_view text, const std::array<Keyword<T>, N>& keywords) {
  std::string expected;
  for (const Keyword<T>& keyword : keywords) {
    if (equal_ignoring_case(text, keyword.word)) return keyword.meaning;
    expected += (expected.empty() ? "" : ", ") + std::string(keyword.word);
  }
  return wrong(fmt::format("'{}' is none of: {}", text, expected));
}

// Words at blanks; "\ " is a blank inside a word, as sshfs reads ssh_command.
std::vector<std::string> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      word.push_back(text[++i]);
    } else if (text[i] != ' ') {
      word.push_back(text[i]);
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

void store_ssh_option(Config& config, std::string_view name, std::string_view value) {
  // ssh(1) lets some words appear several times; for all others the last one counts here.
  static constexpr std::array<std::string_view, 3> kRepeatable = {"CertificateFile", "SendEnv",
                                                                  "SetEnv"};
  const bool repeatable =
      std::find(kRepeatable.begin(), kRepeatable.end(), name) != kRepeatable.end();
  if (!repeatable) {
    std::erase_if(config.ssh_options, [name](const SshOption& o) { return o.name == name; });
  }
  config.ssh_options.push_back({std::string(name), std::string(value)});
}

void note_need_of_ssh(const OptionUse& use) {
  if (use.row.support == Support::kSshOnly) use.into.config.ssh_only.emplace_back(use.row.name);
  if (use.row.support == Support::kSshHint) use.into.config.ssh_hints.emplace_back(use.row.name);
}

}  // namespace

Status check_range(std::string_view text, std::uint64_t value, std::uint64_t minimum,
                   std::uint64_t maximum) {
  if (value >= minimum && value <= maximum) return {};
  return wrong(fmt::format("'{}' is not between {} and {}", text, minimum, maximum));
}

Status set_block_size(const OptionUse& use) {
  const Result<std::uint64_t> size = parse_size(use.value);
  if (!size) return fail(size.error());
  if (!std::has_single_bit(*size) || *size < kBlockSizeMin || *size > kBlockSizeMax) {
    return wrong(fmt::format("'{}' is not a power of two between 4K and 4M", use.value));
  }
  use.into.config.block_size_bytes = *size;
  return {};
}

Status set_dir_cache(const OptionUse& use) {
  const Result<bool> enabled = parse_switch(use.value);
  if (!enabled) return fail(enabled.error());
  use.into.config.dir_cache = *enabled;
  return {};
}

Status set_debug(const OptionUse& use) {
  use.into.config.debug = true;
  use.into.config.foreground = true;
  use.into.config.log_level = LogLevel::kDebug;
  return {};
}

Status set_create_owner(const OptionUse& use) {
  if (use.value != "caller" && use.value != "session") {
    return wrong(fmt::format("'{}' is none of: caller, session", use.value));
  }
  use.into.config.create_owner_caller = use.value == "caller";
  return {};
}

Status set_durability(const OptionUse& use) {
  static constexpr std::array<Keyword<Promise>, 3> kPromises = {
      {{"write", Promise::kWrite}, {"close", Promise::kClose}, {"fsync", Promise::kFsync}}};
  const Result<Promise> promise = parse_keyword(use.value, kPromises);
  if (!promise) return fail(promise.error());
  use.into.config.durability = *promise;
  return {};
}

Status set_idmap(const OptionUse& use) {
  static constexpr std::array<Keyword<IdMapping>, 3> kKinds = {
      {{"none", IdMapping::kNone}, {"user", IdMapping::kUser}, {"file", IdMapping::kFile}}};
  const Result<IdMapping> kind = parse_keyword(use.value, kKinds);
  if (!kind) return fail(kind.error());
  use.into.config.idmap = *kind;
  return {};
}

Status set_nomap(const OptionUse& use) {
  static constexpr std::array<Keyword<bool>, 2> kKinds = {{{"error", false}, {"ignore", true}}};
  const Result<bool> ignore = parse_keyword(use.value, kKinds);
  if (!ignore) return fail(ignore.error());
  use.into.config.nomap_ignore = *ignore;
  return {};
}

Status set_log_level(const OptionUse& use) {
  static constexpr std::array<Keyword<LogLevel>, 6> kLevels = {{{"trace", LogLevel::kTrace},
                                                                {"debug", LogLevel::kDebug},
                                                                {"info", LogLevel::kInfo},
                                                                {"warning", LogLevel::kWarning},
                                                                {"error", LogLevel::kError},
                                                                {"off", LogLevel::kOff}}};
  const Result<LogLevel> level = parse_keyword(use.value, kLevels);
  if (!level) return fail(level.error());
  use.into.config.log_level = *level;
  return {};
}

Status set_security_context(const OptionUse& use) {
  std::vector<std::string>& contexts = use.into.config.flags.security_contexts;
  const std::string start = std::string(use.row.name) + "=";
  std::erase_if(contexts, [&start](const std::string& word) { return word.starts_with(start); });
  contexts.push_back(start + std::string(use.value));
  return {};
}

Status set_ssh_command(const OptionUse& use) {
  use.into.config.ssh_command = split_command(use.value);
  if (use.into.config.ssh_command.empty()) return wrong("needs a command");
  return {};
}

Status set_transport(const OptionUse& use) {
  static constexpr std::array<Keyword<Transport>, 3> kTransports = {
      {{"libssh2", Transport::kLibssh2}, {"ssh", Transport::kSsh}, {"auto", Transport::kAuto}}};
  const Result<Transport> transport = parse_keyword(use.value, kTransports);
  if (!transport) return fail(transport.error());
  use.into.config.transport = *transport;
  return {};
}

Status set_crypto(const OptionUse& use) {
  static constexpr std::array<Keyword<bool>, 2> kKinds = {{{"auto", false}, {"plain", true}}};
  const Result<bool> plain = parse_keyword(use.value, kKinds);
  if (!plain) return fail(plain.error());
  use.into.config.plain_crypto = *plain;
  return {};
}

Status set_umount_timeout(const OptionUse& use) {
  const Result<std::uint32_t> timeout_s = parse_ssh_time(use.value);
  if (!timeout_s) return fail(timeout_s.error());
  use.into.config.umount_timeout = std::chrono::seconds(*timeout_s);
  return {};
}

Status set_vsock(const OptionUse& use) {
  constexpr std::uint64_t kMax = 0xffffffff;
  const std::size_t colon = use.value.find(':');
  const bool whole = colon != std::string_view::npos;
  const Result<std::uint64_t> cid = parse_number(use.value.substr(0, colon));
  const Result<std::uint64_t> port = parse_number(whole ? use.value.substr(colon + 1) : "");
  if (!cid || !port || *cid > kMax || *port > kMax) {
    return wrong(fmt::format("'{}' is not CID:PORT", use.value));
  }
  use.into.config.vsock =
      VsockAddress{static_cast<std::uint32_t>(*cid), static_cast<std::uint32_t>(*port)};
  return {};
}

Status set_workaround(const OptionUse& use) {
  // All of them are either always so here, or for faults that this programme does not have.
  static constexpr std::array<std::string_view, 17> kWords = {
      "none",       "all",          "rename",   "norename",   "renamexdev", "norenamexdev",
      "truncate",   "notruncate",   "buflimit", "nobuflimit", "fstat",      "nofstat",
      "createmode", "nocreatemode", "nodelay",  "nonodelay",  "nodelaysrv"};
  for (std::string_view rest = use.value; !rest.empty();) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const std::string_view word = rest.substr(0, colon);
    rest.remove_prefix(std::min(colon + 1, rest.size()));
    if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) {
      return wrong(fmt::format("'{}' is not a workaround", word));
    }
  }
  return {};
}

Status set_ssh_protocol(const OptionUse& use) {
  if (use.value == "2") return {};
  return wrong("only version 2 of the SSH protocol is spoken");
}

Status add_identity_file(const OptionUse& use) {
  use.into.config.identity_files.emplace_back(use.value);
  return {};
}

Status add_ssh_option(const OptionUse& use) {
  if (use.value.empty()) return wrong("needs a value");
  store_ssh_option(use.into.config, use.row.name, use.value);
  // Switching a feature off needs nobody who has it.
  const bool off = equal_ignoring_case(use.value, "no") || equal_ignoring_case(use.value, "none");
  if (!off) note_need_of_ssh(use);
  return {};
}

Status add_ssh_method(const OptionUse& use) {
  const Result<bool> wanted = parse_switch(use.value);
  if (!wanted) return fail(wanted.error());
  store_ssh_option(use.into.config, use.row.name, use.value);
  if (!*wanted) note_need_of_ssh(use);
  return {};
}

Status add_any_ssh_option(const OptionUse& use) {
  const std::size_t equals = use.value.find('=');
  if (equals == 0 || equals == std::string_view::npos || equals + 1 == use.value.size()) {
    return wrong(fmt::format("'{}' is not Name=Value", use.value));
  }
  store_ssh_option(use.into.config, use.value.substr(0, equals), use.value.substr(equals + 1));
  use.into.config.ssh_only.push_back(fmt::format("ssh_option={}", use.value.substr(0, equals)));
  return {};
}

}  // namespace sftpfs::app
