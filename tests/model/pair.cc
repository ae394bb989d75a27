// See pair.h.
#include "model/pair.h"

#include <fcntl.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <tuple>

namespace sftpfs::model {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string text_of_failures(const testing::TestPartResultArray& results) {
  std::string text;
  for (int i = 0; i < results.size(); ++i) {
    text += results.GetTestPartResult(i).message() + std::string("\n");
  }
  return text;
}

}  // namespace

std::string random_bytes(std::uint64_t seed, std::size_t size_bytes) {
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>(seed >> 56);
  }
  return bytes;
}

Pair::Pair(const Shape& shape)
    : world_(shape), tested_(world_), reference_(world_.sibling()), server_(world_.directory()) {
  world_.open_sessions();
}

void Pair::play(const Step& step) {
  line_ = step.line;
  step.act(*this);
}

void Pair::finish() {
  line_ = "at the end";
  while (!open_.empty()) close(*open_.begin());
  compare_trees("");
  tested_.forget_all();
  world_.expect_idle();
}

// --- Operations ---------------------------------------------------------------------------------

void Pair::expect_same(const Answer& tested, const Answer& reference) {
  EXPECT_EQ(tested.error, reference.error) << line_;
  if (tested.text == reference.text) return;
  if (tested.text.size() + reference.text.size() < 200) {
    EXPECT_EQ(tested.text, reference.text) << line_;
    return;
  }
  const auto [a, b] = std::mismatch(tested.text.begin(), tested.text.end(), reference.text.begin(),
                                    reference.text.end());
  std::ignore = b;
  ADD_FAILURE() << line_ << ": " << tested.text.size() << " bytes where " << reference.text.size()
                << " should be, different from byte " << a - tested.text.begin() << " on";
}

void Pair::both(const std::function<Answer(Tree&)>& operation) {
  const Answer reference = operation(reference_);
  expect_same(operation(tested_), reference);
}

void Pair::open(int slot, const std::string& path, int flags, unsigned mode) {
  if (open_.contains(slot)) return;
  const Answer reference = reference_.open(slot, path, flags, mode);
  expect_same(tested_.open(slot, path, flags, mode), reference);
  if (reference.error != 0) return;
  open_.insert(slot);
  if ((flags & O_ACCMODE) != O_RDONLY) writable_.insert(slot);
  if ((flags & O_ACCMODE) != O_WRONLY) readable_.insert(slot);
}

void Pair::close(int slot) {
  if (!open_.contains(slot)) return;
  both([slot](Tree& tree) { return tree.close(slot); });
  open_.erase(slot);
  writable_.erase(slot);
  readable_.erase(slot);
}

void Pair::read(const std::vector<ReadRequest>& requests) {
  if (!readable_.contains(requests.front().slot)) return;
  const std::vector<Answer> tested = tested_.read(requests);
  const std::vector<Answer> reference = reference_.read(requests);
  for (std::size_t i = 0; i < tested.size(); ++i) expect_same(tested[i], reference[i]);
}

void Pair::forget_some(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  tested_.forget_some(random);
}

// --- Others -------------------------------------------------------------------------------------

void Pair::somebody_else(const std::function<Answer(Tree&)>& operation) {
  const Answer reference = operation(reference_);
  EXPECT_EQ(operation(server_).error, reference.error) << line_;
}

void Pair::somebody_else_writes(const std::string& path, const std::string& bytes) {
  for (const std::string& disk : {server_.full(path), reference_.full(path)}) {
    std::ofstream(disk, std::ios::binary | std::ios::trunc) << bytes;
  }
}

bool Pair::is_idle(const std::string& path) const {
  struct stat found {};
  if (::lstat(reference_.full(path).c_str(), &found) != 0) return false;
  if (!S_ISDIR(found.st_mode)) return found.st_nlink == 1 && !reference_.is_open(path);
  const auto all = std::filesystem::directory_iterator(reference_.full(path));
  return std::all_of(begin(all), end(all), [&](const auto& entry) {
    return is_idle(path + "/" + entry.path().filename().string());
  });
}

// --- The end ------------------------------------------------------------------------------------

void Pair::compare_trees(const std::string& directory) {
  const Answer names = reference_.list(directory, 0);
  EXPECT_EQ(server_.list(directory, 0).text, names.text) << directory;
  std::size_t begin = 0;
  while (begin < names.text.size()) {
    const std::size_t end = names.text.find('\n', begin);
    const std::string name = names.text.substr(begin, end - begin);
    begin = end + 1;
    if (name == "." || name == "..") continue;
    const std::string at = directory.empty() ? name : directory + "/" + name;
    const Answer attributes = reference_.stat(at);
    EXPECT_EQ(server_.stat(at).text, attributes.text) << at;
    if (attributes.text.starts_with("d")) compare_trees(at);
    if (!attributes.text.starts_with("f")) continue;
    EXPECT_TRUE(content(server_.full(at)) == content(reference_.full(at))) << at;
  }
}

std::string play(const Shape& shape, std::vector<Step>& steps,
                 const std::function<void(Pair&, std::vector<Step>&)>& next) {
  testing::TestPartResultArray failures;
  const testing::ScopedFakeTestPartResultReporter catcher(
      testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &failures);
  Pair pair(shape);
  std::size_t played = 0;
  while (failures.size() == 0) {
    if (played == steps.size()) next(pair, steps);
    if (played == steps.size()) break;
    pair.play(steps[played++]);
  }
  steps.resize(played);
  if (failures.size() == 0) pair.finish();
  return text_of_failures(failures);
}

std::string play(const Shape& shape, const std::vector<Step>& steps) {
  std::vector<Step> played = steps;
  return play(shape, played, [](Pair&, std::vector<Step>&) {});
}

}  // namespace sftpfs::model
