// The bytes of the files of the load tests: every place of every file has its own.
//
// Threads: pure.
#pragma once

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>

namespace sftpfs::test {

inline std::string bytes_at(int file, std::size_t offset, std::size_t size_bytes) {
  std::string bytes(size_bytes, '\0');
  for (std::size_t i = 0; i < size_bytes; ++i) {
    const std::size_t place = offset + i;
    bytes[i] =
        static_cast<char>((place ^ place >> 8 ^ place >> 16) + static_cast<std::size_t>(file));
  }
  return bytes;
}

// Whether the file at `path` is `file`, whole, of `size_bytes`.
inline bool holds(const std::string& path, int file, std::size_t size_bytes) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str() == bytes_at(file, 0, size_bytes);
}

}  // namespace sftpfs::test
