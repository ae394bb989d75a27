// See argument_scanner.h.
#include "app/argument_scanner.h"

#include <fmt/core.h>

#include "base/printable.h"

namespace sftpfs::app {
namespace {

class Scanner {
 public:
  Scanner(std::span<const char* const> arguments, std::string_view letters)
      : arguments_(arguments), letters_(letters) {}

  Result<Words> scan() {
    bool operands_only = false;
    while (next_ < arguments_.size()) {
      const std::string_view word = arguments_[next_++];
      if (operands_only || word.size() < 2 || word.front() != '-') {
        words_.operands.emplace_back(word);
      } else if (word == "--") {
        operands_only = true;
      } else {
        const Status taken = word[1] == '-' ? take_long(word) : take_letters(word.substr(1));
        if (!taken) return fail(taken.error());
      }
    }
    return std::move(words_);
  }

 private:
  static tl::unexpected<Error> unknown(std::string_view flag) {
    return fail(ErrorCode::kInvalid,
                fmt::format("unknown flag '{}' (see sftpfs -h)", printable(flag)));
  }

  Status take_long(std::string_view word) {
    if (word == "--help") {
      words_.flags.push_back({'h', {}});
    } else if (word == "--version") {
      words_.flags.push_back({'V', {}});
    } else {
      return unknown(word);
    }
    return {};
  }

  Status take_letters(std::string_view bundle) {
    for (std::size_t i = 0; i < bundle.size(); ++i) {
      const char letter = bundle[i];
      const std::size_t known = letter == ':' ? std::string_view::npos : letters_.find(letter);
      if (known == std::string_view::npos) return unknown(fmt::format("-{}", letter));
      if (!letters_.substr(known + 1).starts_with(':')) {
        words_.flags.push_back({letter, {}});
        continue;
      }
      const std::string_view attached = bundle.substr(i + 1);
      if (attached.empty() && next_ >= arguments_.size()) {
        return fail(ErrorCode::kInvalid, fmt::format("flag '-{}' needs a value", letter));
      }
      words_.flags.push_back(
          {letter, std::string(attached.empty() ? arguments_[next_++] : attached)});
      return {};
    }
    return {};
  }

  std::span<const char* const> arguments_;
  std::string_view letters_;
  std::size_t next_ = 0;
  Words words_;
};

}  // namespace

Result<Words> scan_arguments(std::span<const char* const> arguments, std::string_view letters) {
  return Scanner(arguments, letters).scan();
}

}  // namespace sftpfs::app
