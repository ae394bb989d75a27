// See option_list.h.
#include "app/option_list.h"

#include <algorithm>

#include "base/printable.h"

namespace sftpfs::app {
namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// Three octal digits that make a byte.
bool starts_with_octal_byte(std::string_view text) {
  return text.size() >= 3 && text[0] <= '3' &&
         std::all_of(text.begin(), text.begin() + 3, is_octal);
}

// One word in the making.
class Word {
 public:
  bool in_value() const { return in_value_; }
  bool in_quotes() const { return quote_count_ % 2 == 1; }
  bool empty() const { return name_.empty() && !in_value_; }
  const std::string& name() const { return name_; }

  void start_value() { in_value_ = true; }
  void add(char c) { (in_value_ ? value_ : name_).push_back(c); }
  void add_quote() {
    if (quote_count_++ == 0) first_quote_ = value_.size();
    last_quote_ = value_.size();
    value_.push_back('"');
  }
  MountOption take() {
    if (!in_value_) return {std::move(name_), std::nullopt};
    const bool enclosed =
        quote_count_ == 2 && first_quote_ == 0 && last_quote_ + 1 == value_.size();
    if (enclosed) value_ = value_.substr(1, value_.size() - 2);
    return {std::move(name_), std::move(value_)};
  }

 private:
  std::string name_;
  std::string value_;
  bool in_value_ = false;
  unsigned quote_count_ = 0;
  std::size_t first_quote_ = 0;
  std::size_t last_quote_ = 0;
};

class Splitter {
 public:
  Result<std::vector<MountOption>> split(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      i += take_character(text, i);
    }
    if (word_.in_quotes()) {
      return fail(ErrorCode::kInvalid,
                  "option '" + printable(word_.name()) + "': missing closing quote");
    }
    end_word();
    for (const MountOption& option : options_) {
      const Status valid = check(option);
      if (!valid) return fail(valid.error());
    }
    return std::move(options_);
  }

 private:
  // Returns how many characters beyond this one were used.
  std::size_t take_character(std::string_view text, std::size_t at) {
    const char c = text[at];
    if (c == '\\' && at + 1 < text.size()) return take_escaped(text.substr(at + 1));
    if (c == '"' && word_.in_value()) {
      word_.add_quote();
    } else if (c == ',' && !word_.in_quotes()) {
      end_word();
    } else if (c == '=' && !word_.in_value()) {
      word_.start_value();
    } else {
      word_.add(c);
    }
    return 0;
  }

  std::size_t take_escaped(std::string_view rest) {
    if (!starts_with_octal_byte(rest)) {
      word_.add(rest.front());
      return 1;
    }
    const int byte = (rest[0] - '0') * 64 + (rest[1] - '0') * 8 + (rest[2] - '0');
    word_.add(static_cast<char>(byte));
    return 3;
  }

  void end_word() {
    if (!word_.empty()) options_.push_back(word_.take());
    word_ = Word();
  }

  static Status check(const MountOption& option) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (option.name.empty()) return fail(ErrorCode::kInvalid, "option without a name before '='");
    if (std::any_of(option.name.begin(), option.name.end(), control)) {
      return fail(ErrorCode::kInvalid, "control character in the name of an option");
    }
    if (option.value && std::any_of(option.value->begin(), option.value->end(), control)) {
      return fail(ErrorCode::kInvalid,
                  "option '" + option.name + "': control character in its value");
    }
    return {};
  }

  Word word_;
  std::vector<MountOption> options_;
};

}  // namespace

Result<std::vector<MountOption>> split_options(std::string_view text) {
  return Splitter().split(text);
}

std::string join_options(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) {
    if (!joined.empty()) joined.push_back(',');
    for (const char c : word) {
      if (c == ',' || c == '\\' || c == '"') joined.push_back('\\');
      joined.push_back(c);
    }
  }
  return joined;
}

}  // namespace sftpfs::app
