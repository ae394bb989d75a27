// KernelTree: open files. See kernel_tree.h.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "model/kernel_tree.h"

namespace sftpfs::model {

using fs::Attempt;

bool KernelTree::is_open(std::uint64_t ino) const {
  return std::any_of(open_.begin(), open_.end(),
                     [ino](const auto& entry) { return entry.second.ino == ino; });
}

bool KernelTree::has_open_writer(std::uint64_t ino) const {
  return std::any_of(open_.begin(), open_.end(), [ino](const auto& entry) {
    return entry.second.ino == ino && entry.second.writable;
  });
}

int KernelTree::opened(int slot, std::uint64_t ino, std::uint64_t handle, int flags) {
  OpenSlot open;
  open.handle = handle;
  open.ino = ino;
  open.writable = (flags & O_ACCMODE) != O_RDONLY;
  open.append = (flags & O_APPEND) != 0;
  open_[slot] = open;
  return 0;
}

Answer KernelTree::open(int slot, const std::string& path, int flags, unsigned mode) {
  Parent parent;
  if (const int error = parent_of(path, parent); error != 0) return answer(error);
  Found found;
  const int missing = lookup(parent.ino, parent.name, found);
  if (missing != 0 && missing != ENOENT) return answer(missing);
  fs::OperationContext op;
  const bool create = (flags & O_CREAT) != 0;
  if (missing == ENOENT) {
    if (!create) return answer(ENOENT);
    const Result<fs::CreateReply> made =
        world_.run(world_.fs().create(op, parent.ino, parent.name, mode, flags));
    if (!made) return answer(errno_of(made, Attempt::kCreate));
    ++lookups_[made->entry.ino];
    return answer(opened(slot, made->entry.ino, made->open.handle, flags));
  }
  if (create && (flags & O_EXCL) != 0) return answer(EEXIST);
  if (is_directory(found.attr)) return answer(EISDIR);
  if (S_ISLNK(found.attr.mode)) return answer(ELOOP);
  const Result<fs::OpenReply> open = world_.run(world_.fs().open(op, found.ino, flags));
  if (!open) return answer(errno_of(open, Attempt::kOpen));
  return answer(opened(slot, found.ino, open->handle, flags));
}

Answer KernelTree::write(int slot, std::uint64_t offset, const std::string& data) {
  const OpenSlot& open = open_.at(slot);
  if (!open.writable) return answer(EBADF);
  if (open.append) {
    fs::FileAttr attr;
    if (const int error = getattr(open.ino, attr); error != 0) return answer(error);
    offset = attr.size;
  }
  fs::OperationContext op;
  const Result<std::size_t> written = world_.run(world_.fs().write(
      op, open.handle, offset, SharedBytes::copy_of(as_byte_span(std::string_view(data)))));
  if (!written) return answer(errno_of(written, Attempt::kWrite));
  return Answer{0, std::to_string(*written)};
}

std::vector<Answer> KernelTree::read(const std::vector<ReadRequest>& requests) {
  fs::OperationContext op;
  std::vector<std::future<Result<fs::ReadReply>>> replies;
  for (const ReadRequest& request : requests) {
    const unsigned worker = static_cast<unsigned>(replies.size()) % world_.workers();
    replies.push_back(world_.start(worker, world_.fs().read(op, open_.at(request.slot).handle,
                                                            request.offset, request.size_bytes)));
  }
  std::vector<Answer> answers;
  for (auto& pending : replies) {
    const Result<fs::ReadReply> reply = world_.wait(std::move(pending));
    Answer got = answer(errno_of(reply, Attempt::kRead));
    for (std::size_t i = 0; reply && i < reply->pieces.size(); ++i) {
      const iovec& piece = reply->pieces[i];
      got.text.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    answers.push_back(std::move(got));
  }
  return answers;
}

Answer KernelTree::ftruncate(int slot, std::uint64_t size) {
  const OpenSlot& open = open_.at(slot);
  if (!open.writable) return answer(EINVAL);
  fs::SetAttr change;
  change.has_size = true;
  change.size = size;
  fs::OperationContext op;
  const Result<fs::AttrReply> reply =
      world_.run(world_.fs().setattr(op, open.ino, change, open.handle));
  if (reply) {
    EXPECT_EQ(reply->attr.size, size);
  }
  return answer(errno_of(reply, Attempt::kChange));
}

Answer KernelTree::fstat(int slot) {
  fs::FileAttr attr;
  if (const int error = getattr(open_.at(slot).ino, attr); error != 0) return answer(error);
  return Answer{0, attributes_text(attr.mode, attr.size)};
}

Answer KernelTree::fsync(int slot) {
  fs::OperationContext op;
  return answer(
      errno_of(world_.run(world_.fs().fsync(op, open_.at(slot).handle)), Attempt::kWrite));
}

Answer KernelTree::close(int slot) {
  const OpenSlot open = open_.at(slot);
  open_.erase(slot);
  fs::OperationContext op;
  const int error = errno_of(world_.run(world_.fs().flush(op, open.handle)), Attempt::kWrite);
  const Status released = world_.run(world_.fs().release(op, open.handle));
  EXPECT_TRUE(released);
  return answer(error);
}

Answer KernelTree::copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset,
                              std::size_t size_bytes) {
  if (!open_.at(to).writable) return answer(EBADF);
  fs::OperationContext op;
  const Result<std::size_t> copied = world_.run(world_.fs().copy_file_range(
      op, open_.at(from).handle, from_offset, open_.at(to).handle, to_offset, size_bytes));
  if (copied) return Answer{0, std::to_string(*copied)};
  if (errno_of(copied, Attempt::kCopy) != EOPNOTSUPP) {
    return answer(errno_of(copied, Attempt::kCopy));
  }
  // As the kernel does it.
  const std::vector<Answer> data = read({ReadRequest{from, from_offset, size_bytes}});
  if (data.front().error != 0) return data.front();
  if (data.front().text.empty()) return Answer{0, "0"};
  return write(to, to_offset, data.front().text);
}

}  // namespace sftpfs::model
