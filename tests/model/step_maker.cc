// See step_maker.h.
#include "model/step_maker.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

namespace sftpfs::model {
namespace {

constexpr int kSlots = 6;
constexpr std::uint64_t kOffsetMax = 200'000;
constexpr std::size_t kWriteMax = 90'000;

}  // namespace

void StepMaker::next(Pair& pair, std::vector<Step>& steps) {
  pair_ = &pair;
  steps_ = &steps;
  if (one_in(4)) {
    const std::uint64_t seed = random_();
    add("the kernel forgets", [seed](Pair& both) { both.forget_some(seed); });
  }
  for (const std::size_t before = steps.size(); steps.size() == before;) choose();
}

void StepMaker::choose() {
  const Pair& pair = *pair_;
  const std::uint64_t choice = below(100);
  if (choice < 22) return names(choice);
  if (choice < 38) return attributes(choice);
  if (choice < 40) return file_attributes();
  if (choice < 52 || pair.open_slots().empty()) return open();
  if (choice < 68) return write();
  if (choice < 84) return read();
  if (choice < 87) return copy_range();
  if (choice < 90) {
    const int slot = any(pair.open_slots());
    add(fmt::format("fsync {}", slot), [slot](Pair& both) {
      if (both.open_slots().contains(slot)) both.both([slot](Tree& t) { return t.fsync(slot); });
    });
    return;
  }
  if (choice < 94) return close(any(pair.open_slots()));
  if (choice < 97) return somebody_else_writes();
  somebody_else_changes_names();
}

// --- Choosing -----------------------------------------------------------------------------------

// Links have names of their own, so that no path leads through one.
std::string StepMaker::directory_path() {
  std::string path;
  for (std::uint64_t depth = below(3); depth > 0; --depth) {
    path += std::string(1, static_cast<char>('a' + below(3))) + "/";
  }
  return path;
}

std::string StepMaker::path() {
  const std::string there = one_in(3) ? std::string() : existing(false);
  return there.empty() ? directory_path() + static_cast<char>('a' + below(5)) : there;
}

std::string StepMaker::link_path() {
  const std::string there = one_in(3) ? std::string() : existing(true);
  return there.empty() ? directory_path() + "l" + static_cast<char>('0' + below(2)) : there;
}

// Of something that is there, if a random walk finds one.
std::string StepMaker::existing(bool link) {
  std::string at;
  while (true) {
    const Answer names = pair_->reference().list(at, 0);
    std::vector<std::string> fitting;
    std::istringstream lines(names.text);
    for (std::string name; std::getline(lines, name);) {
      if (name[0] != '.' && (name[0] == 'l') == link) fitting.push_back(name);
    }
    if (fitting.empty()) return at;
    at += (at.empty() ? "" : "/") + fitting[below(fitting.size())];
    if (link || one_in(3) || !pair_->reference().stat(at).text.starts_with("d")) return at;
  }
}

int StepMaker::any(const std::set<int>& slots) {
  return *std::next(slots.begin(), static_cast<long>(below(slots.size())));
}

int StepMaker::free_slot() {
  for (int slot = 0; slot < kSlots; ++slot) {
    if (!pair_->open_slots().contains(slot)) return slot;
  }
  const int slot = any(pair_->open_slots());
  close(slot);
  return slot;
}

std::size_t StepMaker::write_size() {
  return static_cast<std::size_t>(one_in(3) ? 1 + below(kWriteMax) : 1 + below(2000));
}

void StepMaker::add(std::string line, std::function<void(Pair&)> act) {
  steps_->push_back(Step{std::move(line), std::move(act)});
}

void StepMaker::add_both(std::string line, std::function<Answer(Tree&)> operation) {
  add(std::move(line), [operation = std::move(operation)](Pair& both) { both.both(operation); });
}

void StepMaker::add_writing(int slot, std::string line, std::function<Answer(Tree&)> operation) {
  add(std::move(line), [slot, operation = std::move(operation)](Pair& both) {
    if (both.writable().contains(slot)) both.both(operation);
  });
}

// --- Names and attributes -----------------------------------------------------------------------

void StepMaker::names(std::uint64_t choice) {
  const std::string at = choice % 7 == 0 ? link_path() : path();
  const std::string other = choice % 7 == 0 ? link_path() : path();
  if (choice < 6) {
    const unsigned mode = 0700U | static_cast<unsigned>(below(0100));
    add_both(fmt::format("mkdir {} {:o}", at, mode), [=](Tree& t) { return t.mkdir(at, mode); });
  } else if (choice < 8) {
    add_both("rmdir " + at, [=](Tree& t) { return t.rmdir(at); });
  } else if (choice < 12) {
    add_both("unlink " + at, [=](Tree& t) { return t.unlink(at); });
  } else if (choice < 18) {
    const bool replace = !one_in(4);
    add_both(fmt::format("rename {} {} {}", at, other, replace),
             [=](Tree& t) { return t.rename(at, other, replace); });
  } else if (choice < 20) {
    add_both(fmt::format("link {} {}", at, other), [=](Tree& t) { return t.link(at, other); });
  } else {
    const std::string link = link_path();
    const std::string target(1 + below(300), 'x');
    add_both(fmt::format("symlink {}", link), [=](Tree& t) { return t.symlink(target, link); });
    add_both(fmt::format("readlink {}", link), [=](Tree& t) { return t.readlink(link); });
  }
}

void StepMaker::attributes(std::uint64_t choice) {
  const std::string at = path();
  if (choice < 27) {
    const std::string any = one_in(5) ? link_path() : at;
    add_both("stat " + any, [=](Tree& t) { return t.stat(any); });
  } else if (choice < 30) {
    const unsigned mode = 0700U | static_cast<unsigned>(below(0100));
    add_both(fmt::format("chmod {} {:o}", at, mode), [=](Tree& t) { return t.chmod(at, mode); });
  } else if (choice < 33) {
    const std::uint64_t size = below(kOffsetMax);
    add_both(fmt::format("truncate {} {}", at, size),
             [=](Tree& t) { return t.truncate(at, size); });
  } else if (choice < 35) {
    const std::string any = one_in(3) ? link_path() : at;
    const std::int64_t seconds = 1'000'000'000 + static_cast<std::int64_t>(below(100));
    add_both(fmt::format("utimens {} {}", any, seconds),
             [=](Tree& t) { return t.utimens(any, seconds); });
  } else {
    std::string directory = directory_path();
    if (!directory.empty()) directory.pop_back();
    const int at_once = 1 + static_cast<int>(below(7));
    add_both(fmt::format("list {}", directory),
             [=](Tree& t) { return t.list(directory, at_once); });
  }
}

void StepMaker::file_attributes() {
  if (pair_->open_slots().empty()) return;
  const int slot = any(pair_->open_slots());
  if (one_in(2)) {
    const std::uint64_t size = below(kOffsetMax);
    add_writing(slot, fmt::format("ftruncate {} {}", slot, size),
                [=](Tree& t) { return t.ftruncate(slot, size); });
  } else {
    add(fmt::format("fstat {}", slot), [slot](Pair& both) {
      if (both.open_slots().contains(slot)) both.both([slot](Tree& t) { return t.fstat(slot); });
    });
  }
}

// --- Files --------------------------------------------------------------------------------------

void StepMaker::open() {
  const int slot = free_slot();
  const std::string at = one_in(12) ? link_path() : path();
  const int access[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
  int flags = access[below(4)];
  if (one_in(2)) flags |= O_CREAT;
  if (one_in(6)) flags |= O_EXCL & (flags & O_CREAT ? ~0 : 0);
  if (one_in(5) && (flags & O_ACCMODE) != O_RDONLY) flags |= O_TRUNC;
  if (one_in(4)) flags |= O_APPEND;
  const unsigned mode = 0600U | static_cast<unsigned>(below(0100));
  add(fmt::format("open {} {} {:o} {:o}", slot, at, flags, mode),
      [=](Pair& both) { both.open(slot, at, flags, mode); });
}

void StepMaker::close(int slot) {
  add(fmt::format("close {}", slot), [slot](Pair& both) { both.close(slot); });
}

void StepMaker::write() {
  const int slot = any(pair_->open_slots());
  if (!pair_->writable().contains(slot)) return;
  // Small pieces one behind the other are what gets gathered.
  std::uint64_t offset = below(kOffsetMax);
  const int pieces = one_in(3) ? 1 + static_cast<int>(below(12)) : 1;
  for (int i = 0; i < pieces; ++i) {
    const std::size_t size = write_size();
    const std::uint64_t seed = random_();
    add_writing(slot, fmt::format("write {} at {}: {}", slot, offset, size),
                [=](Tree& t) { return t.write(slot, offset, random_bytes(seed, size)); });
    offset += size;
  }
}

void StepMaker::read() {
  if (pair_->readable().empty()) return;
  std::vector<ReadRequest> requests;
  const int slot = any(pair_->readable());
  std::uint64_t offset = one_in(2) ? 0 : below(kOffsetMax);
  for (std::uint64_t i = 1 + below(6); i > 0; --i) {
    const std::size_t size_bytes = 1 + static_cast<std::size_t>(below(70'000));
    requests.push_back(ReadRequest{slot, offset, size_bytes});
    offset = one_in(4) ? below(kOffsetMax) : offset + size_bytes;
  }
  std::string line = fmt::format("read {}:", slot);
  for (const ReadRequest& r : requests) line += fmt::format(" {}+{}", r.offset, r.size_bytes);
  add(std::move(line), [requests](Pair& both) { both.read(requests); });
}

void StepMaker::copy_range() {
  const int from = any(pair_->open_slots());
  const int to = any(pair_->open_slots());
  const std::uint64_t from_offset = below(kOffsetMax);
  const std::uint64_t to_offset = below(kOffsetMax);
  const std::size_t size = 1 + static_cast<std::size_t>(below(60'000));
  add(fmt::format("copy {} at {} to {} at {}: {}", from, from_offset, to, to_offset, size),
      [=](Pair& both) {
        const bool fits = from != to && both.readable().contains(from) &&
                          both.writable().contains(to) && !both.reference().same_file(from, to);
        if (!fits) return;
        both.both([=](Tree& t) { return t.copy_range(from, from_offset, to, to_offset, size); });
      });
}

// --- Others -------------------------------------------------------------------------------------

// Who opens a file next sees what somebody else has written, without waiting.
void StepMaker::somebody_else_writes() {
  const std::string at = path();
  struct stat found {};
  if (::lstat(pair_->reference().full(at).c_str(), &found) != 0) return;
  const std::size_t size = one_in(2) ? static_cast<std::size_t>(found.st_size) : write_size();
  const std::uint64_t seed = random_();
  const int slot = free_slot();
  add(fmt::format("somebody else writes {} bytes to {}; all is read in {}", size, at, slot),
      [=](Pair& both) {
        const bool fits = both.reference().stat(at).text.starts_with("f") && both.is_idle(at) &&
                          !both.open_slots().contains(slot);
        if (!fits) return;
        both.somebody_else_writes(at, random_bytes(seed, size));
        both.open(slot, at, O_RDONLY, 0);
        both.both([slot](Tree& t) { return t.fstat(slot); });
        both.read({ReadRequest{slot, 0, size + 1}});
        both.close(slot);
      });
}

void StepMaker::add_somebody_else(const std::string& line, std::function<Answer(Tree&)> operation,
                                  const std::vector<std::string>& idle) {
  add("somebody else: " + line, [operation = std::move(operation), idle](Pair& both) {
    const bool free = std::all_of(idle.begin(), idle.end(), [&both](const std::string& path) {
      return both.reference().stat(path).error != 0 || both.is_idle(path);
    });
    if (!free) return;
    both.somebody_else(operation);
    both.let_names_expire();
  });
}

void StepMaker::somebody_else_changes_names() {
  const std::string at = one_in(5) ? link_path() : path();
  const std::string other = at[at.rfind('/') + 1] == 'l' ? link_path() : path();
  const unsigned mode = 0700U | static_cast<unsigned>(below(0100));
  switch (below(7)) {
    case 0: return add_somebody_else("mkdir " + at, [=](Tree& t) { return t.mkdir(at, mode); }, {});
    case 1: return add_somebody_else("rmdir " + at, [=](Tree& t) { return t.rmdir(at); }, {});
    case 2: return add_somebody_else("unlink " + at, [=](Tree& t) { return t.unlink(at); }, {at});
    case 3:
      return add_somebody_else(fmt::format("rename {} {}", at, other),
                               [=](Tree& t) { return t.rename(at, other, true); }, {at, other});
    case 4:
      return add_somebody_else(fmt::format("chmod {} {:o}", at, mode),
                               [=](Tree& t) { return t.chmod(at, mode); }, {});
    case 5: {
      const std::uint64_t size = below(kOffsetMax);
      return add_somebody_else(fmt::format("truncate {} {}", at, size),
                               [=](Tree& t) { return t.truncate(at, size); }, {at});
    }
    default: {
      const std::string link = link_path();
      return add_somebody_else("symlink " + link, [=](Tree& t) { return t.symlink("there", link); },
                               {});
    }
  }
}

}  // namespace sftpfs::model
