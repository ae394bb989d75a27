// ClientConfig: what ssh_config(5) says for one host, as `ssh -G` prints it: aliases, Match,
// Include and the command line are merged already, by ssh itself.
//
// Keywords are lower case. A word is "named" when somebody (a file or the command line) has set it
// to something else than what ssh does by itself; only named words can be worth a warning.
// Ownership: a plain value.
// Threads:   as for any value.
// Limits:    1 MiB and 4096 lines; anything that is no "keyword value" is refused, so that no other
//            programme's output is taken for ssh's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace sftpfs::ssh {

constexpr std::size_t kClientConfigBytesMax = std::size_t{1} << 20;

class ClientConfig {
 public:
  // The output of `ssh -G`.
  static Result<ClientConfig> parse(std::string_view text);

  // Appends a value; one that is added counts as named.
  void add(std::string_view keyword, std::string_view value);
  // Only where the word has no value yet; not named.
  void add_usual(std::string_view keyword, std::string_view value);
  // One more value of a word that nobody has named.
  void add_more_usual(std::string_view keyword, std::string_view value);
  // Named are only the words that differ from `usual`.
  void compare_with(const ClientConfig& usual);

  // The first value, or nullptr.
  const std::string* find(std::string_view keyword) const;
  std::string get(std::string_view keyword) const;  // or ""
  std::vector<std::string> all(std::string_view keyword) const;
  bool named(std::string_view keyword) const;
  // "yes", "true"; `otherwise` where the word is missing.
  bool yes(std::string_view keyword, bool otherwise = false) const;
  // Whether it asks for something: neither missing nor no, none, false or empty.
  bool wanted(std::string_view keyword) const;

 private:
  struct Word {
    std::string keyword;
    std::string value;
    bool named = true;
  };
  std::vector<Word> words_;
};

std::string lower_case(std::string_view text);
// The items of "a,b,c"; empty ones are dropped.
std::vector<std::string> split_list(std::string_view text);
// Paths of one value. ssh -G prints them unquoted, so a piece that does not begin a path ('/', '~',
// '%', '$', or "none") belongs to the one before it. Quotes are understood as well.
std::vector<std::string> split_paths(std::string_view text);

}  // namespace sftpfs::ssh
