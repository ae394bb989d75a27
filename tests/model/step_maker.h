// StepMaker: chooses the steps of a random sequence, from a seed and what the trees hold by then.
//
// Ownership: a plain value.
// Threads:   the test's thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/pair.h"

namespace sftpfs::model {

class StepMaker {
 public:
  explicit StepMaker(std::uint64_t seed) : random_(seed) {}

  // Appends one step, or several that belong together.
  void next(Pair& pair, std::vector<Step>& steps);

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  // May choose nothing.
  void choose();
  std::string directory_path();
  std::string path();
  std::string link_path();
  std::string existing(bool link);
  int any(const std::set<int>& slots);
  int free_slot();
  std::size_t write_size();

  void add(std::string line, std::function<void(Pair&)> act);
  void add_both(std::string line, std::function<Answer(Tree&)> operation);
  // Only where the slots are open for it.
  void add_writing(int slot, std::string line, std::function<Answer(Tree&)> operation);

  void names(std::uint64_t choice);
  void attributes(std::uint64_t choice);
  void file_attributes();
  void open();
  void close(int slot);
  void write();
  void read();
  void copy_range();
  // Another client of the server changes what nobody has open here.
  void somebody_else_writes();
  void somebody_else_changes_names();
  void add_somebody_else(const std::string& line, std::function<Answer(Tree&)> operation,
                         const std::vector<std::string>& idle);

  std::mt19937_64 random_;
  // While next() runs.
  Pair* pair_ = nullptr;
  std::vector<Step>* steps_ = nullptr;
};

}  // namespace sftpfs::model
