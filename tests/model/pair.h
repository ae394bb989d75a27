// Pair: the file system under test and a plain directory, to which the same is done; and Step, one
// thing that is done to both.
//
// A step is complete in itself, so that a sequence can be played again without some of its steps:
// what does not fit any more (a slot that is not open) does nothing.
//
// Ownership: owns both, with servers and directories.
// Threads:   the test's thread.
// Limits:    differences are reported as failures of the running test; play() catches them.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "model/kernel_tree.h"
#include "model/posix_tree.h"
#include "model/world.h"

namespace sftpfs::model {

class Pair;

struct Step {
  std::string line;  // for people
  std::function<void(Pair&)> act;
};

class Pair {
 public:
  explicit Pair(const Shape& shape);

  void play(const Step& step);
  // Closes everything and compares what is left.
  void finish();

  // For steps.
  void both(const std::function<Answer(Tree&)>& operation);
  void open(int slot, const std::string& path, int flags, unsigned mode);
  void close(int slot);
  void read(const std::vector<ReadRequest>& requests);
  void forget_some(std::uint64_t seed);
  // On both disks, behind the file system's back.
  void somebody_else(const std::function<Answer(Tree&)>& operation);
  void somebody_else_writes(const std::string& path, const std::string& bytes);
  // What others have changed shows from now on.
  void let_names_expire() { world_.skip(world_.shared().live().attr_lifetime_max); }

  World& world() { return world_; }
  PosixTree& reference() { return reference_; }
  const std::set<int>& open_slots() const { return open_; }
  const std::set<int>& readable() const { return readable_; }
  const std::set<int>& writable() const { return writable_; }
  // A file or directory of one name in which nothing is open: others may do what they like with it.
  bool is_idle(const std::string& path) const;

 private:
  void expect_same(const Answer& tested, const Answer& reference);
  void compare_trees(const std::string& directory);

  World world_;
  KernelTree tested_;
  PosixTree reference_;
  PosixTree server_;
  std::set<int> open_, readable_, writable_;
  std::string line_;
};

// `size_bytes` of bytes, which follow from `seed`.
std::string random_bytes(std::uint64_t seed, std::size_t size_bytes);

// The failures that `steps` and the end bring about; empty: none.
std::string play(const Shape& shape, const std::vector<Step>& steps);
// The same for steps that are only made when the one before has been played; `steps` keeps them.
// `next` appends to `steps`, or nothing at the end.
std::string play(const Shape& shape, std::vector<Step>& steps,
                 const std::function<void(Pair&, std::vector<Step>&)>& next);

}  // namespace sftpfs::model
