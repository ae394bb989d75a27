// App: open files and what changes a file. See workload.h.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sim/workload.h"

namespace sftpfs::sim {
namespace {

using fs::Attempt;

constexpr std::size_t kFileBytesMax = 14'000;

int access_error(const RefNode& node, int flags) {
  const int mode = flags & O_ACCMODE;
  const bool reads = mode != O_WRONLY;
  const bool writes = mode != O_RDONLY || (flags & O_TRUNC) != 0;
  if (reads && (node.mode & S_IRUSR) == 0) return EACCES;
  if (writes && (node.mode & S_IWUSR) == 0) return EACCES;
  return 0;
}

void put(std::string& content, std::uint64_t offset, const std::string& data) {
  const auto at = static_cast<std::size_t>(offset);
  if (content.size() < at + data.size()) content.resize(at + data.size(), '\0');
  content.replace(at, data.size(), data);
}

}  // namespace

// --- Opening ------------------------------------------------------------------------------------

void App::add_descriptor(std::uint64_t handle, const RefPtr& node, int flags, unsigned losses) {
  const int mode = flags & O_ACCMODE;
  Descriptor descriptor;
  descriptor.handle = handle;
  descriptor.node = node;
  descriptor.readable = mode != O_WRONLY;
  descriptor.writable = mode != O_RDONLY;
  descriptor.append = (flags & O_APPEND) != 0;
  descriptor.losses_at_open = losses;
  ++node->opens;
  if (descriptor.writable) ++node->open_writers;
  descriptors_.push_back(std::move(descriptor));
}

runtime::Task<void> App::open() {
  if (descriptors_.size() == kDescriptorsMax) {
    co_await close(below(descriptors_.size()), true);
  }
  const Place place = pick(!one_in(3));
  constexpr int kModes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
  int flags = kModes[below(4)];
  if (one_in(6)) flags |= O_TRUNC;
  if (one_in(6)) flags |= O_APPEND;
  if (one_in(2)) flags |= O_CREAT;
  if ((flags & O_CREAT) != 0 && one_in(3)) flags |= O_EXCL;
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  co_await place.directory->lock.acquire();
  const int found = co_await look(place.directory, place.name);
  if (found == ENOENT && (flags & O_CREAT) != 0) {
    co_await create(place, flags);
  }
  place.directory->lock.release();
  const bool exclusive = (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0;
  if (found != 0 || exclusive || place.node->type != RefType::kFile) co_return;
  co_await open_existing(place, flags & ~(O_CREAT | O_EXCL));
}

runtime::Task<void> App::open_existing(Place place, int flags) {
  const RefPtr node = place.node;
  const bool truncate = (flags & O_TRUNC) != 0;
  const unsigned losses = world_.network().losses();
  ++node->opens;  // it keeps its inode meanwhile
  Wait wait(*this, true);
  const Result<fs::OpenReply> reply = co_await fs_.open(wait.op, node->ino, flags);
  --node->opens;
  const std::string what =
      fmt::format("open {} with {:o}", world_.reference().path(*place.directory, place.name),
                  static_cast<unsigned>(flags));
  const Verdict verdict =
      judge(what, errno_of(reply, Attempt::kOpen), access_error(*node, flags), wait);
  if (verdict == Verdict::kDone) {
    if (truncate) {
      node->content.clear();
      node->mtime_set = false;
    }
    add_descriptor(reply->handle, node, flags, losses);
  } else if (verdict == Verdict::kInterrupted && truncate) {
    node->mtime_set = false;
    std::string emptied;
    co_await find_out(node, node->content, std::move(emptied));
  }
}

runtime::Task<void> App::create(Place place, int flags) {
  // Some are made read-only and written through the descriptor that made them, as git does.
  const bool read_only = one_in(8);
  const std::uint32_t owner = read_only ? 0400U : 0600U;
  const std::uint32_t mode = owner | static_cast<std::uint32_t>(below(0100));
  const unsigned losses = world_.network().losses();
  Wait wait(*this, true);
  const Result<fs::CreateReply> reply =
      co_await fs_.create(wait.op, place.directory->ino, place.name, mode, flags);
  const std::string what = "create " + world_.reference().path(*place.directory, place.name);
  const Verdict verdict = judge(what, errno_of(reply, Attempt::kCreate), 0, wait);
  if (verdict == Verdict::kInterrupted) {
    co_await settle();
    made_or_not(place, RefType::kFile, {});
  } else if (verdict == Verdict::kDone) {
    if (wait.interrupted()) {
      co_await settle();
      made_but_interrupted(place, RefType::kFile, mode, reply->entry);
    } else {
      made(place, RefType::kFile, mode, {}, reply->entry);
    }
    if (world_.failed()) co_return;
    add_descriptor(reply->open.handle, place.directory->child(place.name), flags, losses);
  }
}

// --- Content ------------------------------------------------------------------------------------

runtime::Task<void> App::write() {
  const Descriptor descriptor = descriptors_[below(descriptors_.size())];
  if (!descriptor.writable) co_return;
  const RefPtr node = descriptor.node;
  std::uint64_t offset = 0;
  if (descriptor.append) {
    // The kernel asks where the end is.
    Wait wait(*this, true);
    const Result<fs::AttrReply> reply = co_await fs_.getattr(wait.op, node->ino);
    const Verdict verdict =
        judge("getattr to append", errno_of(reply, Attempt::kLookup), 0, wait, descriptor);
    if (verdict != Verdict::kDone || in_doubt(descriptor)) co_return;
    check_attr("file to append to", reply->attr, *node, nullptr);
    offset = reply->attr.size;
    if (offset > kFileBytesMax) co_return;
  } else {
    offset = one_in(3) ? node->content.size() : below(node->content.size() + 600);
    if (offset > kFileBytesMax) offset = below(kFileBytesMax);
  }
  for (std::uint64_t pieces = one_in(3) ? 1 + below(4) : 1; pieces > 0; --pieces) {
    std::string data(1 + below(one_in(3) ? 3000 : 200), '\0');
    random_.fill(data);
    const std::size_t size = data.size();
    const bool written = co_await write_at(descriptor, offset, std::move(data));
    if (!written) co_return;
    offset += size;
  }
}

runtime::Task<bool> App::write_at(Descriptor descriptor, std::uint64_t offset, std::string data) {
  const RefPtr node = descriptor.node;
  Wait wait(*this, true);
  SharedBytes bytes = SharedBytes::copy_of(as_byte_span(data));
  const Result<std::size_t> written =
      co_await fs_.write(wait.op, descriptor.handle, offset, std::move(bytes));
  const std::string what = fmt::format("write of {} bytes at {}", data.size(), offset);
  const Verdict verdict = judge(what, errno_of(written, Attempt::kWrite), 0, wait, descriptor);
  if (verdict == Verdict::kRefused) co_return false;
  std::string after = node->content;
  put(after, offset, data);
  node->mtime_set = false;
  if (verdict == Verdict::kInterrupted) {
    co_await find_out(node, node->content, std::move(after));
    co_return false;
  }
  if (*written != data.size()) fail(what + " is cut short");
  node->content = std::move(after);
  co_return true;
}

runtime::Task<void> App::read() {
  const Descriptor descriptor = descriptors_[below(descriptors_.size())];
  if (!descriptor.readable) co_return;
  const std::uint64_t offset = one_in(3) ? 0 : below(descriptor.node->content.size() + 10);
  const std::size_t size = 1 + below(one_in(2) ? 16'000 : 2'000);
  co_await read_from(descriptor, offset, size);
}

runtime::Task<void> App::read_from(Descriptor descriptor, std::uint64_t offset, std::size_t size) {
  Wait wait(*this, true);
  const Result<fs::ReadReply> reply = co_await fs_.read(wait.op, descriptor.handle, offset, size);
  const std::string what = fmt::format("read of {} bytes at {}", size, offset);
  const Verdict verdict = judge(what, errno_of(reply, Attempt::kRead), 0, wait, descriptor);
  if (verdict != Verdict::kDone || in_doubt(descriptor)) co_return;
  const std::string& content = descriptor.node->content;
  const std::size_t from = std::min(static_cast<std::size_t>(offset), content.size());
  const std::size_t expected = std::min(size, content.size() - from);
  if (reply->size_bytes != expected) {
    fail(fmt::format("{} yields {}, expected {} (of {})", what, reply->size_bytes, expected,
                     content.size()));
    co_return;
  }
  std::size_t at = from;
  for (const iovec& piece : reply->pieces) {
    if (std::memcmp(piece.iov_base, content.data() + at, piece.iov_len) != 0) {
      fail(fmt::format("{} yields wrong bytes in the piece at {}", what, at));
    }
    at += piece.iov_len;
  }
}

runtime::Task<void> App::fstat() {
  const Descriptor descriptor = descriptors_[below(descriptors_.size())];
  Wait wait(*this, true);
  const Result<fs::AttrReply> reply = co_await fs_.getattr(wait.op, descriptor.node->ino);
  const Verdict verdict = judge("fstat", errno_of(reply, Attempt::kLookup), 0, wait, descriptor);
  if (verdict != Verdict::kDone || in_doubt(descriptor)) co_return;
  check_attr("open file", reply->attr, *descriptor.node, nullptr);
}

runtime::Task<void> App::sync(bool to_disk) {
  const Descriptor descriptor = descriptors_[below(descriptors_.size())];
  Wait wait(*this, true);
  Status done;
  if (to_disk) {
    Status synced = co_await fs_.fsync(wait.op, descriptor.handle);
    done = std::move(synced);
  } else {
    Status flushed = co_await fs_.flush(wait.op, descriptor.handle);
    done = std::move(flushed);
  }
  judge(to_disk ? "fsync" : "flush", errno_of(done, Attempt::kWrite), 0, wait, descriptor);
}

runtime::Task<void> App::close(std::size_t index, bool interruptible) {
  const Descriptor descriptor = descriptors_[index];
  descriptors_.erase(descriptors_.begin() + static_cast<std::ptrdiff_t>(index));
  Wait wait(*this, interruptible);
  const Status flushed = co_await fs_.flush(wait.op, descriptor.handle);
  judge("close", errno_of(flushed, Attempt::kWrite), 0, wait, descriptor);
  fs::OperationContext op;
  const Status released = co_await fs_.release(op, descriptor.handle);
  const bool stale = !released && may_be_stale(descriptor);
  if (!released && !stale) fail("release: " + released.error().describe());
  --descriptor.node->opens;
  if (descriptor.writable) --descriptor.node->open_writers;
  drop(descriptor.node);
}

// --- Changing attributes ------------------------------------------------------------------------

runtime::Task<void> App::change() {
  Place place = pick(true);
  if (!place.node || place.node->type != RefType::kFile) co_return;
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  const int found = co_await look(place.directory, place.name);
  if (found != 0) co_return;
  fs::SetAttr wanted;
  const std::uint64_t choice = below(4);
  if (choice == 0) {
    wanted.has_mode = true;
    // What is open must stay openable: it may have to be opened again.
    const std::uint32_t owner =
        place.node->opens > 0 || !one_in(3) ? 0600U : static_cast<std::uint32_t>(below(8)) << 6;
    wanted.mode = owner | static_cast<std::uint32_t>(below(0100));
  } else if (choice == 1) {
    wanted.has_mtime = true;
    wanted.has_atime = one_in(2);
    wanted.mtime.seconds = static_cast<std::int64_t>(1 + below(1'000'000));
    wanted.atime.seconds = 12345;
  } else {
    wanted.has_size = true;
    wanted.size = below(place.node->content.size() + 3000);
  }
  std::uint64_t handle = 0;
  for (const Descriptor& descriptor : descriptors_) {
    if (descriptor.node == place.node && descriptor.writable && one_in(2)) {
      handle = descriptor.handle;
    }
  }
  co_await change_node(place, wanted, handle);
}

runtime::Task<void> App::change_node(Place place, fs::SetAttr wanted, std::uint64_t handle) {
  const RefPtr node = place.node;
  // Through a descriptor that was opened for writing the mode does not matter any more.
  const bool refused = wanted.has_size && handle == 0 && (node->mode & S_IWUSR) == 0;
  Wait wait(*this, true);
  const Result<fs::AttrReply> reply = co_await fs_.setattr(wait.op, node->ino, wanted, handle);
  const std::string what =
      fmt::format("setattr of {} ({})", world_.reference().path(*place.directory, place.name),
                  wanted.has_mode   ? fmt::format("mode {:o}", wanted.mode)
                  : wanted.has_size ? fmt::format("size {}", wanted.size)
                                    : fmt::format("mtime {}", wanted.mtime.seconds));
  const Attempt attempt = wanted.has_size ? Attempt::kWrite : Attempt::kChange;
  const Verdict verdict = judge(what, errno_of(reply, attempt), refused ? EACCES : 0, wait);
  if (verdict == Verdict::kRefused) co_return;
  std::string after = node->content;
  if (wanted.has_size) after.resize(static_cast<std::size_t>(wanted.size), '\0');
  if (verdict == Verdict::kDone) {
    node->content = std::move(after);
    if (wanted.has_mode) node->mode = wanted.mode;
    if (wanted.has_size) node->mtime_set = false;
    if (wanted.has_mtime) {
      node->mtime_set = true;
      node->mtime = static_cast<std::uint32_t>(wanted.mtime.seconds);
    }
    check_attr(what, reply->attr, *node, on_server(*place.directory, place.name));
    co_return;
  }
  node->mtime_set = false;
  co_await find_out(node, node->content, std::move(after));
  const ModelRef truth = on_server(*place.directory, place.name);
  const bool changed = wanted.has_mode && truth && (truth->mode & 07777U) == wanted.mode;
  if (changed) node->mode = wanted.mode;
}

runtime::Task<void> App::find_out(RefPtr node, std::string before, std::string after) {
  // What was accepted earlier must be there, too.
  const std::vector<Descriptor> open = descriptors_;
  for (const Descriptor& descriptor : open) {
    if (descriptor.node != node || !descriptor.writable) continue;
    Wait wait(*this, false);
    // A close waits for nothing where only fsync(2) does.
    runtime::Task<Status> flush = world_.scenario().ahead ? fs_.fsync(wait.op, descriptor.handle)
                                                          : fs_.flush(wait.op, descriptor.handle);
    const Status flushed = co_await std::move(flush);
    judge("flush to find out", errno_of(flushed, Attempt::kWrite), 0, wait, descriptor);
  }
  co_await settle();
  const ModelRef truth = on_server(node);
  if (!truth) {
    node->uncertain = true;
    co_return;
  }
  if (truth->content == after) {
    node->content = std::move(after);
  } else if (truth->content != before) {
    fail("an interrupted change has left something else");
  }
}

}  // namespace sftpfs::sim
