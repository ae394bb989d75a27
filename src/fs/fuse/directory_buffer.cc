// See directory_buffer.h.
#include "fs/fuse/directory_buffer.h"

#include <sys/stat.h>

#include "fs/fuse/convert.h"

namespace sftpfs::fuse {

bool DirectoryBuffer::add(const fs::DirectoryItem& item, const fs::EntryReply* entry) {
  // FUSE takes -1 for a number that is not known.
  constexpr ino_t kUnknown = 0xffffffff;
  struct stat name_only {};
  name_only.st_ino = item.ino != 0 ? item.ino : kUnknown;
  name_only.st_mode = item.type;
  char* at = buffer_.data() + used_;
  const std::size_t room = buffer_.size() - used_;
  const off_t next = static_cast<off_t>(item.next_offset);
  const bool looked_up = plus_ && entry != nullptr;
  std::size_t size = 0;
  if (plus_) {
    fuse_entry_param param{};
    if (looked_up) {
      param = to_entry_param(*entry);
    } else {
      param.attr = name_only;
    }
    size = fuse_add_direntry_plus(request_, at, room, item.name.c_str(), &param, next);
  } else {
    size = fuse_add_direntry(request_, at, room, item.name.c_str(), &name_only, next);
  }
  if (size > room) return false;
  used_ += size;
  if (looked_up) looked_up_.push_back(entry->ino);
  return true;
}

}  // namespace sftpfs::fuse
