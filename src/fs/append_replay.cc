// See append_replay.h.
#include "fs/append_replay.h"

#include <algorithm>

namespace sftpfs::fs {
namespace {

bool only_ours(ByteSpan tail, std::uint64_t from, const std::vector<Appended>& appended,
               std::vector<std::size_t>& present) {
  std::uint64_t end = from;
  for (std::size_t i = 0; i < appended.size(); ++i) {
    const Appended& each = appended[i];
    if (each.offset < from) return false;
    end = std::max<std::uint64_t>(end, each.offset + each.bytes.size());
    const std::uint64_t begin = each.offset - from;
    if (begin >= tail.size()) continue;
    const ByteSpan there = tail.subspan(begin);
    present[i] = std::min(there.size(), each.bytes.size());
    const ByteSpan shown = there.first(present[i]);
    if (!std::equal(shown.begin(), shown.end(), each.bytes.begin())) return false;
  }
  return from + tail.size() <= end;
}

}  // namespace

std::vector<std::size_t> bytes_already_appended(ByteSpan tail, std::uint64_t from,
                                                const std::vector<Appended>& appended) {
  std::vector<std::size_t> present(appended.size(), 0);
  if (only_ours(tail, from, appended, present)) return present;
  std::fill(present.begin(), present.end(), 0);
  std::size_t searched_to = 0;
  for (std::size_t i = 0; i < appended.size(); ++i) {
    const ByteSpan wanted = appended[i].bytes;
    if (wanted.empty()) continue;
    const auto begin = tail.begin() + static_cast<std::ptrdiff_t>(searched_to);
    const auto whole = std::search(begin, tail.end(), wanted.begin(), wanted.end());
    // The server works in order: behind one that is missing there is none.
    if (whole == tail.end()) break;
    present[i] = wanted.size();
    searched_to = static_cast<std::size_t>(whole - tail.begin()) + wanted.size();
  }
  return present;
}

}  // namespace sftpfs::fs
