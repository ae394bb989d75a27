// Wanderer: a programme that does this and that in the file system while it is being troubled, and
// remembers what it was promised: bytes that a flush has confirmed are on the server.
//
// Ownership: the test's; the World outlives it.
// Threads:   walk() and finish() run on one worker's loop; verify() when they have ended.
// Limits:    it writes only to a file and a directory of its own, and never twice to one place.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "model/world.h"
#include "runtime/loop.h"

namespace sftpfs::model {

enum class Trouble {
  kInterrupts,  // waits are cut short at random moments
  kServersDie,  // connections break: errors are allowed
};

class Wanderer {
 public:
  Wanderer(World& world, unsigned number, Trouble trouble);

  // Yields how many operations ended well.
  runtime::Task<int> walk(int steps);
  // Flushes and closes without being interrupted.
  runtime::Task<int> finish();
  // Every promised byte is on the server, and what was accepted last if finish() confirmed it.
  void verify() const;
  void forget_all();

 private:
  struct Extent {
    std::uint64_t offset = 0;
    std::size_t size_bytes = 0;
  };
  // One operation's context and the moment at which it is interrupted.
  class Attempt;

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool note(bool good);
  void counted(std::uint64_t ino);
  void flushed(const Status& status);
  runtime::Task<void> step();
  runtime::Task<void> open();
  runtime::Task<void> write();
  runtime::Task<void> read();
  runtime::Task<void> flush(bool sync);
  runtime::Task<void> close();
  runtime::Task<void> use_names();
  runtime::Task<void> list();
  runtime::Task<void> change();

  World& world_;
  fs::Filesystem& fs_;
  const Trouble trouble_;
  const unsigned number_;
  const std::string name_;
  std::mt19937_64 random_;
  bool calm_ = false;  // no interrupts
  int good_ = 0;

  std::map<std::uint64_t, std::uint64_t> lookups_;
  std::uint64_t ino_ = 0;
  std::uint64_t handle_ = 0;
  std::uint64_t end_ = 0;         // of all it has tried to write
  std::vector<Extent> accepted_;  // since the last flush
  std::vector<Extent> promised_;
};

}  // namespace sftpfs::model
