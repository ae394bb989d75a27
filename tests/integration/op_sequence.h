// OpSequence: a seeded stream of operations done to two files at once, which must stay equal.
//
// Ownership: holds both files open and closes them; the files belong to the caller.
// Threads:   one thread.
// Limits:    files stay below kMaxSize.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "base/unique_fd.h"

namespace sftpfs::test {

class OpSequence {
 public:
  // Creates both files if they do not exist.
  OpSequence(std::string reference, std::string tested, std::uint64_t seed);

  // Does `count` operations; returns at the first difference and says which, else "".
  std::string run(int count);
  // Closes both and compares their whole contents.
  std::string compare_all();

 private:
  static constexpr off_t kMaxSize = 4 << 20;

  struct File {
    std::string path;
    UniqueFd fd;
    UniqueFd appender;
  };

  std::string step();
  void open_both();
  std::string do_read();
  std::string do_write();
  std::string do_append();
  std::string do_truncate();
  std::string do_map();
  std::string do_copy();
  std::string do_sync();
  std::string compare_sizes();
  std::uint64_t below(std::uint64_t bound);
  std::size_t random_size();
  off_t random_offset(off_t beyond_end);
  void random_bytes(std::size_t size);

  File reference_;
  File tested_;
  std::mt19937_64 random_;
  off_t size_ = 0;
  std::string bytes_;
  std::string log_;  // the last operations, for messages
};

}  // namespace sftpfs::test
