// umount.sftpfs and umount.fuse.sftpfs: what umount(8) calls for our mounts.
//
//   flush, with a line of news ──► umount(2) ──► wait for the daemon's end
//     │ not done in time, or no connection: the mount stays, exit 32
//     └─ skipped with -l and -f
//
// Threads: one thread; blocks.
// Limits:  waits kDrainPatience for the data and again for the daemon.
#pragma once

#include <span>
#include <string_view>

namespace sftpfs::ctl {

// Whether `argv0` means the helper of umount(8).
bool called_as_umount_helper(std::string_view argv0);
// The exit code, as mount(8) has them.
int umount_run(std::span<const char* const> arguments);

}  // namespace sftpfs::ctl
