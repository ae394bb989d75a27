// Contents for test files in which every place is different.
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>

namespace sftpfs::test {

// "0 1 2 3 ...", cut at `size`.
inline std::string numbered_text(std::size_t size) {
  std::string text;
  text.reserve(size + 16);
  for (std::size_t number = 0; text.size() < size; ++number) text += std::to_string(number) + ' ';
  text.resize(size);
  return text;
}

}  // namespace sftpfs::test
