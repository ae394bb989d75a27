// EffectLog: which changes of names have happened, and how often: the simulated server keeps one,
// the applications' reference another, and in the end they must be equal.
//
// Ownership: owns its entries.
// Threads:   one thread.
// Limits:    the order is not compared: the server sees several applications at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sftpfs::sim {

enum class Effect : std::uint8_t { kMkdir, kRmdir, kUnlink, kRename, kSymlink, kLink, kCreate };

inline const char* effect_name(Effect effect) {
  constexpr const char* kNames[] = {"mkdir",   "rmdir", "unlink", "rename",
                                    "symlink", "link",  "create"};
  return kNames[static_cast<std::size_t>(effect)];
}

class EffectLog {
 public:
  void add(Effect effect, std::string_view path, std::string_view other = {}) {
    std::string entry(effect_name(effect));
    entry.append(" ").append(path);
    if (!other.empty()) entry.append(" to ").append(other);
    entries_.push_back(std::move(entry));
  }
  void clear() { entries_.clear(); }

  // Empty if both are equal, else what happened too often or not at all.
  static std::string difference(EffectLog happened, EffectLog expected) {
    std::sort(happened.entries_.begin(), happened.entries_.end());
    std::sort(expected.entries_.begin(), expected.entries_.end());
    if (happened.entries_ == expected.entries_) return {};
    std::string text;
    std::vector<std::string> only;
    std::set_difference(happened.entries_.begin(), happened.entries_.end(),
                        expected.entries_.begin(), expected.entries_.end(),
                        std::back_inserter(only));
    for (const std::string& entry : only) text += "once too often: " + entry + "\n";
    only.clear();
    std::set_difference(expected.entries_.begin(), expected.entries_.end(),
                        happened.entries_.begin(), happened.entries_.end(),
                        std::back_inserter(only));
    for (const std::string& entry : only) text += "once too few: " + entry + "\n";
    return text;
  }

 private:
  std::vector<std::string> entries_;
};

}  // namespace sftpfs::sim
