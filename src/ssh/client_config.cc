// See client_config.h.
#include "ssh/client_config.h"

#include <algorithm>
#include <cctype>

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kLinesMax = 4096;

bool is_keyword(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isalnum(c) != 0; });
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c >= 0x20 && c != 0x7f) || c == '\t'; });
}

bool begins_path(std::string_view piece) {
  return piece == "none" || std::string_view("/~%$").find(piece.front()) != std::string_view::npos;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

std::vector<std::string> split_paths(std::string_view text) {
  std::vector<std::string> paths;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (text.empty()) return paths;
    const bool quoted = text.front() == '"' && text.find('"', 1) != std::string_view::npos;
    const std::string_view piece =
        quoted ? text.substr(1, text.find('"', 1) - 1) : text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(piece.size() + (quoted ? 2 : 0));
    if (piece.empty()) continue;
    if (quoted || paths.empty() || begins_path(piece)) {
      paths.emplace_back(piece);
    } else {
      paths.back().append(" ").append(piece);
    }
  }
}

Result<ClientConfig> ClientConfig::parse(std::string_view text) {
  const auto damaged = [](std::string_view why) {
    return fail(ErrorCode::kProtocol, "ssh -G: " + std::string(why));
  };
  if (text.size() > kClientConfigBytesMax) return damaged("too much output");
  ClientConfig config;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t blank = line.find(' ');
    const std::string_view keyword = line.substr(0, blank);
    const std::string_view value =
        blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
    if (!is_keyword(keyword) || !is_plain(value)) {
      return damaged("a line is no \"keyword value\"");
    }
    config.add(keyword, value);
    if (config.words_.size() > kLinesMax) return damaged("too many lines");
  }
  for (const char* needed : {"hostname", "user", "port"}) {
    if (config.get(needed).empty()) return damaged(std::string(needed) + " is missing");
  }
  return config;
}

void ClientConfig::add(std::string_view keyword, std::string_view value) {
  words_.push_back({lower_case(keyword), std::string(value), true});
}

void ClientConfig::add_usual(std::string_view keyword, std::string_view value) {
  if (find(keyword) == nullptr) words_.push_back({std::string(keyword), std::string(value), false});
}

void ClientConfig::add_more_usual(std::string_view keyword, std::string_view value) {
  words_.push_back({std::string(keyword), std::string(value), false});
}

void ClientConfig::compare_with(const ClientConfig& usual) {
  for (Word& word : words_) word.named = all(word.keyword) != usual.all(word.keyword);
}

const std::string* ClientConfig::find(std::string_view keyword) const {
  const auto found = std::find_if(words_.begin(), words_.end(),
                                  [keyword](const Word& word) { return word.keyword == keyword; });
  return found == words_.end() ? nullptr : &found->value;
}

std::string ClientConfig::get(std::string_view keyword) const {
  const std::string* value = find(keyword);
  return value == nullptr ? std::string() : *value;
}

std::vector<std::string> ClientConfig::all(std::string_view keyword) const {
  std::vector<std::string> values;
  for (const Word& word : words_) {
    if (word.keyword == keyword) values.push_back(word.value);
  }
  return values;
}

bool ClientConfig::named(std::string_view keyword) const {
  return std::any_of(words_.begin(), words_.end(),
                     [keyword](const Word& word) { return word.keyword == keyword && word.named; });
}

bool ClientConfig::yes(std::string_view keyword, bool otherwise) const {
  const std::string* value = find(keyword);
  if (value == nullptr) return otherwise;
  const std::string word = lower_case(*value);
  return word == "yes" || word == "true" || word == "on";
}

bool ClientConfig::wanted(std::string_view keyword) const {
  const std::string word = lower_case(get(keyword));
  return !word.empty() && word != "no" && word != "none" && word != "false";
}

}  // namespace sftpfs::ssh
