// See wanderer.h.
#include "model/wanderer.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "model/direct.h"

namespace sftpfs::model {
namespace {

char pattern(unsigned number, std::uint64_t offset) {
  const std::uint64_t mixed = (offset + number * 1'000'003ULL) * 0x9e3779b97f4a7c15U;
  return static_cast<char>(mixed >> 56);
}

std::string pattern(unsigned number, std::uint64_t offset, std::size_t size_bytes) {
  std::string text(size_bytes, '\0');
  for (std::size_t i = 0; i < size_bytes; ++i) text[i] = pattern(number, offset + i);
  return text;
}

class CountingSink final : public fs::DirectorySink {
 public:
  explicit CountingSink(std::size_t room) : room_(room) {}
  bool add(const fs::DirectoryItem& item, const fs::EntryReply* entry) override {
    if (taken_ == room_) return false;
    ++taken_;
    next_offset = item.next_offset;
    if (entry != nullptr) inodes.push_back(entry->ino);
    return true;
  }
  std::vector<std::uint64_t> inodes;
  std::uint64_t next_offset = 0;
  std::size_t taken() const { return taken_; }

 private:
  const std::size_t room_;
  std::size_t taken_ = 0;
};

}  // namespace

class Wanderer::Attempt {
 public:
  explicit Attempt(Wanderer& wanderer) : timer_(*runtime::Loop::current()) {
    if (wanderer.calm_ || wanderer.trouble_ != Trouble::kInterrupts) return;
    const std::uint64_t choice = wanderer.below(4);
    if (choice == 0) return;
    const auto cancel = op.cancel;
    // Before it begins, within a round trip of a local server, or a little later.
    if (choice == 1) cancel->cancel(runtime::CancelReason::kInterrupted);
    timer_.start_after(std::chrono::microseconds(wanderer.below(choice == 2 ? 60 : 600)),
                       [cancel] { cancel->cancel(runtime::CancelReason::kInterrupted); });
  }
  fs::OperationContext op;

 private:
  runtime::Timer timer_;
};

Wanderer::Wanderer(World& world, unsigned number, Trouble trouble)
    : world_(world),
      fs_(world.fs()),
      trouble_(trouble),
      number_(number),
      name_("wanderer" + std::to_string(number)),
      random_(number + 1) {}

bool Wanderer::note(bool good) {
  if (good) ++good_;
  return good;
}

void Wanderer::counted(std::uint64_t ino) {
  if (ino != 0) ++lookups_[ino];
}

runtime::Task<int> Wanderer::walk(int steps) {
  for (int i = 0; i < steps; ++i) {
    co_await step();
  }
  co_return good_;
}

runtime::Task<int> Wanderer::finish() {
  calm_ = true;
  if (handle_ != 0) {
    co_await close();
  }
  co_return good_;
}

runtime::Task<void> Wanderer::step() {
  const std::uint64_t choice = below(20);
  if (choice < 2) {
    co_await use_names();
  } else if (choice == 2) {
    co_await list();
  } else if (choice == 3) {
    co_await change();
  } else if (handle_ == 0) {
    co_await open();
  } else if (choice < 12) {
    co_await write();
  } else if (choice < 17) {
    co_await read();
  } else if (choice < 19) {
    co_await flush(choice == 18);
  } else {
    co_await close();
  }
}

runtime::Task<void> Wanderer::open() {
  Attempt looking(*this);
  const Result<fs::EntryReply> entry = co_await fs_.lookup(looking.op, fs::kRootInode, name_);
  if (!note(entry.has_value())) co_return;
  counted(entry->ino);
  Attempt opening(*this);
  if (entry->ino != 0) {
    const Result<fs::OpenReply> opened = co_await fs_.open(opening.op, entry->ino, O_RDWR);
    if (!note(opened.has_value())) co_return;
    ino_ = entry->ino;
    handle_ = opened->handle;
  } else {
    const Result<fs::CreateReply> made =
        co_await fs_.create(opening.op, fs::kRootInode, name_, 0644, O_RDWR | O_CREAT);
    if (!note(made.has_value())) co_return;
    counted(made->entry.ino);
    ino_ = made->entry.ino;
    handle_ = made->open.handle;
  }
}

runtime::Task<void> Wanderer::write() {
  Attempt attempt(*this);
  Extent extent;
  extent.offset = end_;
  extent.size_bytes = static_cast<std::size_t>(1 + below(below(4) == 0 ? 100'000 : 3'000));
  end_ += extent.size_bytes;
  SharedBytes data = bytes_of(pattern(number_, extent.offset, extent.size_bytes));
  const Result<std::size_t> written =
      co_await fs_.write(attempt.op, handle_, extent.offset, std::move(data));
  if (note(written.has_value())) {
    accepted_.push_back(extent);
  } else if (fs::to_errno(written.error(), fs::Attempt::kWrite) != EINTR) {
    accepted_.clear();  // an error of one of them
  }
}

runtime::Task<void> Wanderer::read() {
  if (promised_.empty() && accepted_.empty()) co_return;
  Attempt attempt(*this);
  const std::vector<Extent>& from = accepted_.empty() ? promised_ : accepted_;
  const Extent extent = from[below(from.size())];
  const Result<fs::ReadReply> reply =
      co_await fs_.read(attempt.op, handle_, extent.offset, extent.size_bytes);
  if (!note(reply.has_value())) co_return;
  // What was only accepted may have been lost with its connection.
  const bool sure = trouble_ == Trouble::kInterrupts || accepted_.empty();
  if (!sure) co_return;
  EXPECT_TRUE(text_of(*reply) == pattern(number_, extent.offset, extent.size_bytes))
      << name_ << " at " << extent.offset;
}

void Wanderer::flushed(const Status& status) {
  if (note(status.has_value())) {
    std::copy(accepted_.begin(), accepted_.end(), std::back_inserter(promised_));
    accepted_.clear();
  } else if (fs::to_errno(status.error(), fs::Attempt::kWrite) != EINTR) {
    EXPECT_EQ(trouble_, Trouble::kServersDie) << status.error().describe();
    accepted_.clear();
  }
}

runtime::Task<void> Wanderer::flush(bool sync) {
  Attempt attempt(*this);
  if (sync) {
    const Status synced = co_await fs_.fsync(attempt.op, handle_);
    flushed(synced);
  } else {
    const Status done = co_await fs_.flush(attempt.op, handle_);
    flushed(done);
  }
}

runtime::Task<void> Wanderer::close() {
  co_await flush(false);
  Attempt attempt(*this);
  const Status released = co_await fs_.release(attempt.op, handle_);
  EXPECT_TRUE(released);
  handle_ = 0;
  // An interrupted close confirms nothing, but release has waited for the bytes.
  if (trouble_ == Trouble::kInterrupts) flushed(Status());
}

runtime::Task<void> Wanderer::use_names() {
  const std::string directory = name_ + ".d";
  Attempt making(*this);
  const Result<fs::EntryReply> made =
      co_await fs_.mkdir(making.op, fs::kRootInode, directory, 0755);
  if (note(made.has_value())) {
    counted(made->ino);
    Attempt linking(*this);
    const Result<fs::EntryReply> link = co_await fs_.symlink(linking.op, "target", made->ino, "l");
    if (note(link.has_value())) counted(link->ino);
    Attempt moving(*this);
    const Status moved = co_await fs_.rename(moving.op, made->ino, "l", made->ino, "m", 0);
    note(moved.has_value());
  }
  Attempt looking(*this);
  const Result<fs::EntryReply> found = co_await fs_.lookup(looking.op, fs::kRootInode, directory);
  if (!note(found.has_value()) || found->ino == 0) co_return;
  counted(found->ino);
  for (const char* name : {"l", "m"}) {
    Attempt removing(*this);
    const Status removed = co_await fs_.unlink(removing.op, found->ino, name);
    note(removed.has_value());
  }
  Attempt removing(*this);
  const Status removed = co_await fs_.rmdir(removing.op, fs::kRootInode, directory);
  note(removed.has_value());
}

runtime::Task<void> Wanderer::list() {
  Attempt opening(*this);
  const Result<fs::OpenReply> opened = co_await fs_.opendir(opening.op, fs::kRootInode);
  if (!note(opened.has_value())) co_return;
  std::uint64_t offset = 0;
  for (int i = 0; i < 5; ++i) {
    Attempt reading(*this);
    CountingSink sink(3);
    const Status listed = co_await fs_.readdir(reading.op, opened->handle, offset, true, sink);
    for (const std::uint64_t ino : sink.inodes) counted(ino);
    if (!note(listed.has_value()) || sink.taken() == 0) break;
    offset = sink.next_offset;
  }
  Attempt closing(*this);
  const Status released = co_await fs_.releasedir(closing.op, opened->handle);
  EXPECT_TRUE(released);
}

runtime::Task<void> Wanderer::change() {
  if (ino_ == 0 || !lookups_.contains(ino_)) co_return;
  Attempt changing(*this);
  fs::SetAttr mode;
  mode.has_mode = true;
  mode.mode = 0600U | static_cast<unsigned>(below(0100));
  const Result<fs::AttrReply> changed = co_await fs_.setattr(changing.op, ino_, mode, handle_);
  note(changed.has_value());
  Attempt looking(*this);
  const Result<fs::AttrReply> attr = co_await fs_.getattr(looking.op, ino_);
  note(attr.has_value());
  Attempt asking(*this);
  const Result<fs::StatFsReply> space = co_await fs_.statfs(asking.op);
  note(space.has_value());
}

void Wanderer::verify() const {
  EXPECT_TRUE(accepted_.empty() || trouble_ == Trouble::kServersDie);
  std::ifstream file(world_.directory() + "/" + name_, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  for (const Extent& extent : promised_) {
    ASSERT_GE(content.size(), extent.offset + extent.size_bytes) << name_;
    EXPECT_TRUE(content.compare(extent.offset, extent.size_bytes,
                                pattern(number_, extent.offset, extent.size_bytes)) == 0)
        << name_ << " at " << extent.offset;
  }
}

void Wanderer::forget_all() {
  for (const auto& [ino, count] : lookups_) fs_.forget(ino, count);
  lookups_.clear();
}

}  // namespace sftpfs::model
