// See child_host_key.h.
#include "ssh/child_host_key.h"

#include <fmt/core.h>
#include <strings.h>

#include <algorithm>
#include <cctype>

#include "ssh/random_word.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kKeyBytesMax = 16 * 1024;  // RSA with 16384 bits is a sixth of it

// Whether the user has words of his own about it, which ours would replace.
bool has_own_command(const Options& options) {
  return std::any_of(options.ssh_options.begin(), options.ssh_options.end(),
                     [](const auto& option) {
                       return ::strcasecmp(option.first.c_str(), "KnownHostsCommand") == 0;
                     });
}

bool takes_unknown_keys(const Options& options) {
  return options.host_key_policy == HostKeyPolicy::kNo ||
         options.host_key_policy == HostKeyPolicy::kAcceptNew;
}

bool is_word(std::string_view text, std::string_view punctuation) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [punctuation](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           punctuation.find(c) != punctuation.npos;
  });
}

// "ssh-ed25519 AAAA...": it becomes part of a command line and of a known_hosts line.
bool is_plain_key(std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (blank == text.npos || text.size() > kKeyBytesMax) return false;
  const std::string_view type = text.substr(0, blank);
  // A certificate changes while its authority, which is what ssh checks, does not.
  return is_word(type, "-@.") && type.find("-cert-") == type.npos &&
         is_word(text.substr(blank + 1), "+/=");
}

}  // namespace

ChildHostKey::ChildHostKey() : ChildHostKey(random_word()) {}

std::vector<std::pair<std::string, std::string>> ChildHostKey::child_options(
    const Options& options) const {
  if (!takes_unknown_keys(options) || has_own_command(options)) return {};
  const std::string key = pinned();
  if (key.empty()) {
    return {{"KnownHostsCommand",
             fmt::format("/bin/sh -c 'test \"$1\" = HOSTNAME && echo \"$0 $2 $3\" >&2; exit 0' {} "
                         "%I %t %K",
                         word_)}};
  }
  return {{"KnownHostsCommand", fmt::format("/bin/sh -c 'echo \"* $1 $2\"' - {}", key)},
          {"StrictHostKeyChecking", "yes"},
          {"UserKnownHostsFile", "/dev/null"},
          {"GlobalKnownHostsFile", "/dev/null"},
          {"UpdateHostKeys", "no"}};
}

bool ChildHostKey::take_report(std::string_view line) {
  if (!line.starts_with(word_)) return false;
  line.remove_prefix(word_.size());
  if (!line.starts_with(' ')) return false;
  line.remove_prefix(1);
  if (!is_plain_key(line)) return true;
  const std::lock_guard lock(mutex_);
  if (pinned_.empty()) pinned_ = line;
  return true;
}

std::string ChildHostKey::pinned() const {
  const std::lock_guard lock(mutex_);
  return pinned_;
}

}  // namespace sftpfs::ssh
