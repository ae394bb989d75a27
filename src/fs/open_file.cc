// See open_file.h.
#include "fs/open_file.h"

namespace sftpfs::fs {
namespace {

// Behind the WRITEs of the same file.
void close_handle(sftp::Client& client, const sftp::Handle& handle) {
  client.close(handle, sftp::Queue::kBulk).forget();
}

}  // namespace

OpenFile::~OpenFile() {
  if (client == nullptr) return;
  if (&home == runtime::Loop::current()) {
    close_handle(*client, handle);
    return;
  }
  home.post([last = std::move(client), number = handle] { close_handle(*last, number); });
}

}  // namespace sftpfs::fs
