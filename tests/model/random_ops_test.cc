// Random sequences of operations, on the file system and on a plain directory: every answer must
// be the same, and at the end both directories.
//
// SFTPFS_MODEL_SEED runs one seed alone (a failing test names it), SFTPFS_MODEL_TIMES makes the
// sequences longer.
#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

#include "base/unique_fd.h"
#include "model/kernel_tree.h"
#include "model/posix_tree.h"
#include "model/world.h"

namespace sftpfs::model {
namespace {

constexpr int kSlots = 6;
constexpr std::uint64_t kOffsetMax = 200'000;
constexpr std::size_t kWriteMax = 90'000;

class RandomOps {
 public:
  RandomOps(const Shape& shape, std::uint64_t seed)
      : world_(shape), tested_(world_), reference_(world_.sibling()), seed_(seed), random_(seed) {
    world_.open_sessions();
  }

  void run(int count) {
    for (int i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
      step();
      if (random_() % 4 == 0) tested_.forget_some(random_);
    }
    while (!open_.empty() && !::testing::Test::HasFailure()) close(*open_.begin());
    if (!::testing::Test::HasFailure()) compare_trees("");
    tested_.forget_all();
    if (::testing::Test::HasFailure()) {
      std::string history;
      for (const std::string& line : history_) history += "  " + line + "\n";
      ADD_FAILURE() << "SFTPFS_MODEL_SEED=" << seed_ << ", the last operations:\n" << history;
      return;
    }
    world_.expect_idle();
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  // Links have names of their own, so that no path leads through one.
  std::string directory_path() {
    std::string path;
    for (std::uint64_t depth = below(3); depth > 0; --depth) {
      path += std::string(1, static_cast<char>('a' + below(3))) + "/";
    }
    return path;
  }
  std::string path() {
    const std::string there = one_in(3) ? std::string() : existing(false);
    return there.empty() ? directory_path() + static_cast<char>('a' + below(5)) : there;
  }
  std::string link_path() {
    const std::string there = one_in(3) ? std::string() : existing(true);
    return there.empty() ? directory_path() + "l" + static_cast<char>('0' + below(2)) : there;
  }
  // Of something that is there, if a random walk finds one.
  std::string existing(bool link) {
    std::string at;
    while (true) {
      const Answer names = reference_.list(at, 0);
      std::vector<std::string> fitting;
      std::istringstream lines(names.text);
      for (std::string name; std::getline(lines, name);) {
        if (name[0] != '.' && (name[0] == 'l') == link) fitting.push_back(name);
      }
      if (fitting.empty()) return at;
      at += (at.empty() ? "" : "/") + fitting[below(fitting.size())];
      if (link || one_in(3) || !reference_.stat(at).text.starts_with("d")) return at;
    }
  }
  int any_slot() { return *std::next(open_.begin(), static_cast<long>(below(open_.size()))); }
  int free_slot() {
    for (int slot = 0; slot < kSlots; ++slot) {
      if (!open_.contains(slot)) return slot;
    }
    close(any_slot());
    return free_slot();
  }
  std::string data(std::size_t size_bytes) {
    std::string bytes(size_bytes, '\0');
    std::uint64_t state = random_();
    for (char& byte : bytes) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      byte = static_cast<char>(state >> 56);
    }
    return bytes;
  }
  std::size_t write_size() {
    return static_cast<std::size_t>(one_in(3) ? 1 + below(kWriteMax) : 1 + below(2000));
  }

  void note(std::string line) {
    history_.push_back(std::move(line));
    if (history_.size() > 25) history_.pop_front();
  }
  void expect_same(const Answer& tested, const Answer& reference) {
    EXPECT_EQ(tested.error, reference.error) << history_.back();
    if (tested.text == reference.text) return;
    if (tested.text.size() + reference.text.size() < 200) {
      EXPECT_EQ(tested.text, reference.text) << history_.back();
      return;
    }
    const auto [a, b] = std::mismatch(tested.text.begin(), tested.text.end(),
                                      reference.text.begin(), reference.text.end());
    std::ignore = b;
    ADD_FAILURE() << history_.back() << ": " << tested.text.size() << " bytes where "
                  << reference.text.size() << " should be, different from byte "
                  << a - tested.text.begin() << " on";
  }
  template <class F>
  Answer both(std::string line, F operation) {
    note(std::move(line));
    const Answer reference = operation(static_cast<Tree&>(reference_));
    expect_same(operation(static_cast<Tree&>(tested_)), reference);
    return reference;
  }

  void step() {
    const std::uint64_t choice = below(100);
    if (choice < 22) return names_step(choice);
    if (choice < 40) return attributes_step(choice);
    if (choice < 52 || open_.empty()) return open();
    if (choice < 70) return write();
    if (choice < 86) return read();
    if (choice < 89) return copy_range();
    if (choice < 92) {
      const int slot = any_slot();
      both(fmt::format("fsync {}", slot), [&](Tree& tree) { return tree.fsync(slot); });
      return;
    }
    if (choice < 96) return close(any_slot());
    foreign_change();
  }

  void names_step(std::uint64_t choice) {
    const std::string at = choice % 7 == 0 ? link_path() : path();
    const std::string other = choice % 7 == 0 ? link_path() : path();
    if (choice < 6) {
      const unsigned mode = 0700U | static_cast<unsigned>(below(0100));
      both(fmt::format("mkdir {} {:o}", at, mode), [&](Tree& t) { return t.mkdir(at, mode); });
    } else if (choice < 8) {
      both("rmdir " + at, [&](Tree& t) { return t.rmdir(at); });
    } else if (choice < 12) {
      both("unlink " + at, [&](Tree& t) { return t.unlink(at); });
    } else if (choice < 18) {
      const bool replace = !one_in(4);
      both(fmt::format("rename {} {} {}", at, other, replace),
           [&](Tree& t) { return t.rename(at, other, replace); });
    } else if (choice < 20) {
      both(fmt::format("link {} {}", at, other), [&](Tree& t) { return t.link(at, other); });
    } else {
      const std::string link = link_path();
      const std::string target(1 + below(300), 'x');
      both(fmt::format("symlink {}", link), [&](Tree& t) { return t.symlink(target, link); });
      both(fmt::format("readlink {}", link), [&](Tree& t) { return t.readlink(link); });
    }
  }

  void attributes_step(std::uint64_t choice) {
    const std::string at = path();
    if (choice < 27) {
      const std::string any = one_in(5) ? link_path() : at;
      both("stat " + any, [&](Tree& t) { return t.stat(any); });
    } else if (choice < 30) {
      const unsigned mode = 0700U | static_cast<unsigned>(below(0100));
      both(fmt::format("chmod {} {:o}", at, mode), [&](Tree& t) { return t.chmod(at, mode); });
    } else if (choice < 33) {
      const std::uint64_t size = below(kOffsetMax);
      both(fmt::format("truncate {} {}", at, size), [&](Tree& t) { return t.truncate(at, size); });
    } else if (choice < 35) {
      const std::string any = one_in(3) ? link_path() : at;
      const std::int64_t seconds = 1'000'000'000 + static_cast<std::int64_t>(below(100));
      both(fmt::format("utimens {} {}", any, seconds),
           [&](Tree& t) { return t.utimens(any, seconds); });
    } else if (choice < 38) {
      std::string directory = directory_path();
      if (!directory.empty()) directory.pop_back();
      const int at_once = 1 + static_cast<int>(below(7));
      both(fmt::format("list {}", directory), [&](Tree& t) { return t.list(directory, at_once); });
    } else if (!open_.empty()) {
      const int slot = any_slot();
      if (one_in(2)) {
        const std::uint64_t size = below(kOffsetMax);
        if (!writable_.contains(slot)) return;
        both(fmt::format("ftruncate {} {}", slot, size),
             [&](Tree& t) { return t.ftruncate(slot, size); });
      } else {
        both(fmt::format("fstat {}", slot), [&](Tree& t) { return t.fstat(slot); });
      }
    }
  }

  void open() {
    const int slot = free_slot();
    const std::string at = one_in(12) ? link_path() : path();
    const int access[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
    int flags = access[below(4)];
    if (one_in(2)) flags |= O_CREAT;
    if (one_in(6)) flags |= O_EXCL & (flags & O_CREAT ? ~0 : 0);
    if (one_in(5) && (flags & O_ACCMODE) != O_RDONLY) flags |= O_TRUNC;
    if (one_in(4)) flags |= O_APPEND;
    const unsigned mode = 0600U | static_cast<unsigned>(below(0100));
    const Answer opened = both(fmt::format("open {} {} {:o} {:o}", slot, at, flags, mode),
                               [&](Tree& t) { return t.open(slot, at, flags, mode); });
    if (opened.error != 0) return;
    open_.insert(slot);
    if ((flags & O_ACCMODE) != O_RDONLY) writable_.insert(slot);
    if ((flags & O_ACCMODE) != O_WRONLY) readable_.insert(slot);
  }

  void close(int slot) {
    both(fmt::format("close {}", slot), [&](Tree& t) { return t.close(slot); });
    open_.erase(slot);
    writable_.erase(slot);
    readable_.erase(slot);
  }

  void write() {
    const int slot = any_slot();
    if (!writable_.contains(slot)) return;
    // Small pieces one behind the other are what gets gathered.
    std::uint64_t offset = below(kOffsetMax);
    const int pieces = one_in(3) ? 1 + static_cast<int>(below(12)) : 1;
    for (int i = 0; i < pieces; ++i) {
      const std::string bytes = data(write_size());
      both(fmt::format("write {} at {}: {}", slot, offset, bytes.size()),
           [&](Tree& t) { return t.write(slot, offset, bytes); });
      offset += bytes.size();
    }
  }

  void read() {
    if (readable_.empty()) return;
    std::vector<ReadRequest> requests;
    const int slot = *std::next(readable_.begin(), static_cast<long>(below(readable_.size())));
    std::uint64_t offset = one_in(2) ? 0 : below(kOffsetMax);
    for (std::uint64_t i = 1 + below(6); i > 0; --i) {
      const std::size_t size_bytes = 1 + static_cast<std::size_t>(below(70'000));
      requests.push_back(ReadRequest{slot, offset, size_bytes});
      offset = one_in(4) ? below(kOffsetMax) : offset + size_bytes;
    }
    std::string line = fmt::format("read {}:", slot);
    for (const ReadRequest& r : requests) line += fmt::format(" {}+{}", r.offset, r.size_bytes);
    note(std::move(line));
    const std::vector<Answer> tested = tested_.read(requests);
    const std::vector<Answer> reference = reference_.read(requests);
    for (std::size_t i = 0; i < tested.size(); ++i) expect_same(tested[i], reference[i]);
  }

  void copy_range() {
    const int from = any_slot();
    const int to = any_slot();
    if (from == to || !readable_.contains(from) || !writable_.contains(to)) return;
    const std::uint64_t from_offset = below(kOffsetMax);
    const std::uint64_t to_offset = below(kOffsetMax);
    const std::size_t size_bytes = 1 + static_cast<std::size_t>(below(60'000));
    if (reference_.same_file(from, to)) return;
    both(fmt::format("copy {} at {} to {} at {}: {}", from, from_offset, to, to_offset, size_bytes),
         [&](Tree& t) { return t.copy_range(from, from_offset, to, to_offset, size_bytes); });
  }

  // Another client of the server changes a file nobody has open: who opens it next sees that.
  void foreign_change() {
    const std::string at = path();
    struct stat found {};
    if (::lstat(reference_.full(at).c_str(), &found) != 0 || !S_ISREG(found.st_mode) ||
        found.st_nlink != 1 || reference_.is_open(at)) {
      return;
    }
    const bool same_size = one_in(2);
    const std::string bytes =
        data(same_size ? static_cast<std::size_t>(found.st_size) : write_size());
    note(fmt::format("somebody else writes {} bytes to {}", bytes.size(), at));
    for (const std::string& root : {world_.directory(), world_.sibling()}) {
      std::ofstream(root + "/" + at, std::ios::binary | std::ios::trunc) << bytes;
    }
    const int slot = free_slot();
    both(fmt::format("open {} {}", slot, at),
         [&](Tree& t) { return t.open(slot, at, O_RDONLY, 0); });
    open_.insert(slot);
    readable_.insert(slot);
    both(fmt::format("fstat {}", slot), [&](Tree& t) { return t.fstat(slot); });
    note(fmt::format("read {}: all", slot));
    const std::vector<ReadRequest> all = {ReadRequest{slot, 0, bytes.size() + 1}};
    expect_same(tested_.read(all).front(), reference_.read(all).front());
    close(slot);
  }

  void compare_trees(const std::string& directory) {
    PosixTree server(world_.directory());
    const Answer names = reference_.list(directory, 0);
    EXPECT_EQ(server.list(directory, 0).text, names.text) << directory;
    std::size_t begin = 0;
    while (begin < names.text.size()) {
      const std::size_t end = names.text.find('\n', begin);
      const std::string name = names.text.substr(begin, end - begin);
      begin = end + 1;
      if (name == "." || name == "..") continue;
      const std::string at = directory.empty() ? name : directory + "/" + name;
      const Answer attributes = reference_.stat(at);
      EXPECT_EQ(server.stat(at).text, attributes.text) << at;
      if (attributes.text.starts_with("d")) compare_trees(at);
      if (!attributes.text.starts_with("f")) continue;
      EXPECT_TRUE(content(server.full(at)) == content(reference_.full(at))) << at;
    }
  }
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  World world_;
  KernelTree tested_;
  PosixTree reference_;
  const std::uint64_t seed_;
  std::mt19937_64 random_;
  std::set<int> open_, readable_, writable_;
  std::deque<std::string> history_;
};

// workers, sessions, cache slots, whether whatever can be is striped
using Configuration = std::tuple<unsigned, unsigned, std::size_t, bool>;

class RandomOperations : public ::testing::TestWithParam<Configuration> {};

TEST_P(RandomOperations, AnswerLikeAPlainDirectory) {
  constexpr int kSeeds = 5;
  constexpr int kOperations = 1000;
  Shape shape;
  std::tie(shape.workers, shape.max_conns, shape.cache_slots, shape.striped) = GetParam();
  // Little room for unacknowledged bytes: writers wait.
  shape.dirty_bytes_max = 200'000;
  const char* chosen = std::getenv("SFTPFS_MODEL_SEED");
  if (chosen != nullptr) {
    RandomOps(shape, std::strtoull(chosen, nullptr, 10)).run(scaled(kOperations));
    return;
  }
  for (std::uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    RandomOps(shape, seed).run(scaled(kOperations));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , RandomOperations,
    ::testing::Values(Configuration{1, 1, 64, false}, Configuration{1, 4, 64, false},
                      Configuration{1, 4, 64, true}, Configuration{2, 4, 64, false},
                      Configuration{2, 4, 64, true}, Configuration{2, 4, 2, false}),
    [](const auto& chosen) {
      return fmt::format("workers{}sessions{}slots{}{}", std::get<0>(chosen.param),
                         std::get<1>(chosen.param), std::get<2>(chosen.param),
                         std::get<3>(chosen.param) ? "striped" : "");
    });

}  // namespace
}  // namespace sftpfs::model
