// See append_replay.h.
#include "fs/append_replay.h"

#include <algorithm>

namespace sftpfs::fs {
namespace {

// Of `wanted`, from its beginning, as much as `tail` shows from `at` on.
std::size_t common_bytes(ByteSpan tail, std::size_t at, ByteSpan wanted) {
  const std::size_t bytes = std::min(tail.size() - at, wanted.size());
  const bool equal = std::equal(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(bytes),
                                tail.begin() + static_cast<std::ptrdiff_t>(at));
  return equal ? bytes : 0;
}

bool only_ours(ByteSpan tail, const std::vector<ByteSpan>& appended,
               std::vector<std::size_t>& present) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < appended.size() && at < tail.size(); ++i) {
    present[i] = common_bytes(tail, at, appended[i]);
    at += present[i];
    if (present[i] < appended[i].size()) break;
  }
  return at == tail.size();
}

}  // namespace

std::vector<std::size_t> bytes_already_appended(ByteSpan tail,
                                                const std::vector<ByteSpan>& appended) {
  std::vector<std::size_t> present(appended.size(), 0);
  if (only_ours(tail, appended, present)) return present;
  std::fill(present.begin(), present.end(), 0);
  std::size_t from = 0;
  for (std::size_t i = 0; i < appended.size(); ++i) {
    const ByteSpan wanted = appended[i];
    if (wanted.empty()) continue;
    const auto begin = tail.begin() + static_cast<std::ptrdiff_t>(from);
    const auto whole = std::search(begin, tail.end(), wanted.begin(), wanted.end());
    // The server works in order: behind one that is missing there is none.
    if (whole == tail.end()) break;
    present[i] = wanted.size();
    from = static_cast<std::size_t>(whole - tail.begin()) + wanted.size();
  }
  return present;
}

}  // namespace sftpfs::fs
