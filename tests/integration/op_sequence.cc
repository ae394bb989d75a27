// See op_sequence.h.
#include "integration/op_sequence.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "support/test_error.h"

namespace sftpfs::test {

namespace {

constexpr std::size_t kLogBytes = 2000;

std::string describe(const char* what, long reference, long tested) {
  return std::string(what) + ": " + std::to_string(reference) + " on the reference, " +
         std::to_string(tested) + " on the mount (" + std::strerror(errno) + ")";
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

OpSequence::OpSequence(std::string reference, std::string tested, std::uint64_t seed)
    : reference_{std::move(reference), {}, {}}, tested_{std::move(tested), {}, {}}, random_(seed) {
  open_both();
}

void OpSequence::open_both() {
  for (File* file : {&reference_, &tested_}) {
    file->fd.reset(
        must(::open(file->path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644), "open " + file->path));
    file->appender.reset(
        must(::open(file->path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC), "open " + file->path));
  }
}

std::uint64_t OpSequence::below(std::uint64_t bound) { return random_() % bound; }

// Small ones mostly, with page and request sizes and their neighbours, and now and then large.
std::size_t OpSequence::random_size() {
  switch (below(10)) {
    case 0: return 4096 * (1 + below(8));
    case 1: return 4095 + below(3);
    case 2: return 131071 + below(3);
    case 3: return 1 + below(300'000);
    default: return 1 + below(5000);
  }
}

off_t OpSequence::random_offset(off_t beyond_end) {
  const off_t limit = std::min(kMaxSize, size_ + beyond_end);
  const off_t offset = static_cast<off_t>(below(static_cast<std::uint64_t>(limit) + 1));
  return below(4) == 0 ? offset / 4096 * 4096 : offset;
}

void OpSequence::random_bytes(std::size_t size) {
  bytes_.resize(size);
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random_();
    std::memcpy(bytes_.data() + i, &word, std::min(sizeof word, size - i));
  }
}

std::string OpSequence::do_read() {
  const off_t offset = random_offset(1000);
  const std::size_t size = random_size();
  log_ += "read " + std::to_string(offset) + "+" + std::to_string(size) + "; ";
  std::string expected(size, '\0');
  std::string got(size, '\0');
  const ssize_t count = ::pread(reference_.fd.get(), expected.data(), size, offset);
  const ssize_t tested = ::pread(tested_.fd.get(), got.data(), size, offset);
  if (count != tested) return describe("read", count, tested);
  return expected == got ? "" : "read wrong bytes";
}

std::string OpSequence::do_write() {
  const std::size_t size = random_size();
  const off_t offset = std::min<off_t>(random_offset(20'000), kMaxSize - static_cast<off_t>(size));
  log_ += "write " + std::to_string(offset) + "+" + std::to_string(size) + "; ";
  random_bytes(size);
  const ssize_t count = ::pwrite(reference_.fd.get(), bytes_.data(), size, offset);
  const ssize_t tested = ::pwrite(tested_.fd.get(), bytes_.data(), size, offset);
  size_ = std::max(size_, offset + count);
  return count == tested ? "" : describe("write", count, tested);
}

std::string OpSequence::do_append() {
  const std::size_t size = 1 + below(3000);
  if (size_ + static_cast<off_t>(size) > kMaxSize) return "";
  log_ += "append " + std::to_string(size) + "; ";
  random_bytes(size);
  const ssize_t count = ::write(reference_.appender.get(), bytes_.data(), size);
  const ssize_t tested = ::write(tested_.appender.get(), bytes_.data(), size);
  size_ += count;
  return count == tested ? "" : describe("append", count, tested);
}

std::string OpSequence::do_truncate() {
  // Mostly near the end, seldom far down, so that the file keeps growing on the whole.
  const off_t size =
      below(6) == 0
          ? random_offset(100'000)
          : std::clamp<off_t>(size_ - 5000 + static_cast<off_t>(below(20'000)), 0, kMaxSize);
  log_ += "truncate " + std::to_string(size) + "; ";
  const bool by_name = below(2) == 0;
  const auto truncate = [&](const File& file) {
    return by_name ? ::truncate(file.path.c_str(), size) : ::ftruncate(file.fd.get(), size);
  };
  const int result = truncate(reference_);
  const int tested = truncate(tested_);
  size_ = size;
  return result == tested ? "" : describe("truncate", result, tested);
}

// Reads or writes some bytes of both files through shared mappings.
std::string OpSequence::do_map() {
  if (size_ == 0) return "";
  const std::size_t offset = below(static_cast<std::uint64_t>(size_));
  const std::size_t page = offset / 4096 * 4096;
  const std::size_t size =
      std::min<std::size_t>(random_size(), static_cast<std::size_t>(size_) - offset);
  const bool writing = below(2) == 0;
  log_ += (writing ? "map-write " : "map-read ") + std::to_string(offset) + "+" +
          std::to_string(size) + "; ";
  random_bytes(size);
  std::string seen[2];
  int number = 0;
  for (const File* file : {&reference_, &tested_}) {
    const std::size_t length = offset - page + size;
    void* map = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd.get(),
                       static_cast<off_t>(page));
    if (map == MAP_FAILED) return "mmap of " + file->path + ": " + std::strerror(errno);
    char* const place = static_cast<char*>(map) + (offset - page);
    seen[number++].assign(place, size);
    if (writing) std::memcpy(place, bytes_.data(), size);
    ::munmap(map, length);
  }
  return seen[0] == seen[1] ? "" : "mapping shows wrong bytes";
}

std::string OpSequence::do_copy() {
  off_t from = random_offset(0);
  const std::size_t size = random_size();
  off_t to = std::min<off_t>(random_offset(10'000), kMaxSize - static_cast<off_t>(size));
  if (std::abs(from - to) < static_cast<off_t>(size)) return "";
  log_ += "copy " + std::to_string(from) + "+" + std::to_string(size) + " to " +
          std::to_string(to) + "; ";
  // The kernel may copy less than asked for: both files take what the reference took.
  std::string source(size, '\0');
  const ssize_t count = ::pread(reference_.fd.get(), source.data(), size, from);
  (void)!::pwrite(reference_.fd.get(), source.data(), static_cast<std::size_t>(count), to);
  size_ = count > 0 ? std::max(size_, to + count) : size_;
  for (ssize_t left = count; left > 0;) {
    const ssize_t copied = ::copy_file_range(tested_.fd.get(), &from, tested_.fd.get(), &to,
                                             static_cast<std::size_t>(left), 0);
    if (copied <= 0) return describe("copy", count, count - left);
    left -= copied;
  }
  return "";
}

std::string OpSequence::do_sync() {
  const std::uint64_t kind = below(4);
  if (kind == 0) {
    log_ += "fsync; ";
    return ::fsync(tested_.fd.get()) == 0 ? "" : describe("fsync", 0, -1);
  }
  log_ += "reopen; ";
  for (File* file : {&reference_, &tested_}) {
    if (::close(file->fd.release()) != 0) return "close of " + file->path + " failed";
  }
  open_both();
  return "";
}

std::string OpSequence::compare_sizes() {
  struct stat expected {};
  struct stat got {};
  ::fstat(reference_.fd.get(), &expected);
  if (below(2) == 0) {
    ::fstat(tested_.fd.get(), &got);
  } else {
    ::stat(tested_.path.c_str(), &got);
  }
  return expected.st_size == got.st_size ? "" : describe("size", expected.st_size, got.st_size);
}

std::string OpSequence::step() {
  const std::uint64_t dice = below(100);
  if (dice < 35) return do_read();
  if (dice < 60) return do_write();
  if (dice < 68) return do_append();
  if (dice < 74) return do_truncate();
  if (dice < 86) return do_map();
  if (dice < 89) return do_copy();
  if (dice < 94) return do_sync();
  return compare_sizes();
}

std::string OpSequence::run(int count) {
  for (int i = 0; i < count; ++i) {
    const std::string difference = step();
    if (!difference.empty()) {
      return "operation " + std::to_string(i) + ": " + difference + "\nlast operations: " + log_;
    }
    if (log_.size() > kLogBytes) log_.erase(0, kLogBytes / 2);
  }
  return "";
}

std::string OpSequence::compare_all() {
  for (File* file : {&reference_, &tested_}) {
    file->appender.reset();
    if (::close(file->fd.release()) != 0) return "close of " + file->path + " failed";
  }
  return contents(reference_.path) == contents(tested_.path) ? "" : "the files differ at the end";
}

}  // namespace sftpfs::test
