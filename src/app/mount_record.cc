// See mount_record.h.
#include "app/mount_record.h"

#include <libmount.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace sftpfs::app {
namespace {

// Only a word for the user space is kept in the table; this one means nothing by itself.
constexpr const char* kOptions = "x-sftpfs.umount=drain";

struct Free {
  void operator()(libmnt_update* update) const { mnt_free_update(update); }
  void operator()(libmnt_fs* fs) const { mnt_unref_fs(fs); }
};

// libmount's functions return 0, or a negative errno.
Status checked(int result) {
  return result < 0 ? fail(Error::system(-result, "/run/mount/utab")) : Status();
}

Status update_table(const char* unmounted, libmnt_fs* mounted) {
  const std::unique_ptr<libmnt_update, Free> update(mnt_new_update());
  if (!update) return checked(-ENOMEM);
  const int prepared = mnt_update_set_fs(update.get(), 0, unmounted, mounted);
  // 1: there is nothing to be written.
  if (prepared != 0) return checked(prepared);
  return checked(mnt_update_table(update.get(), nullptr));
}

}  // namespace

Status record_mount(const std::string& source, const std::string& target, const std::string& type) {
  if (::geteuid() != 0) return {};
  // One that is left of a mount before.
  const Status forgotten = forget_mount_record(target);
  if (!forgotten) return forgotten;
  const std::unique_ptr<libmnt_fs, Free> fs(mnt_new_fs());
  if (!fs) return checked(-ENOMEM);
  int result = mnt_fs_set_source(fs.get(), source.c_str());
  if (result == 0) result = mnt_fs_set_target(fs.get(), target.c_str());
  if (result == 0) result = mnt_fs_set_fstype(fs.get(), type.c_str());
  if (result == 0) result = mnt_fs_set_options(fs.get(), kOptions);
  if (result != 0) return checked(result);
  return update_table(nullptr, fs.get());
}

Status forget_mount_record(const std::string& target) {
  if (::geteuid() != 0) return {};
  return update_table(target.c_str(), nullptr);
}

}  // namespace sftpfs::app
