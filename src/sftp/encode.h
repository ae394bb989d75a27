// Encoders: one function per request of SFTP version 3 and of OpenSSH's extensions (the file
// PROTOCOL in OpenSSH's source, section 4). Their ids are set by stamp() (wire.h).
//
// Ownership: each returns its own bytes.
// Threads:   pure functions.
// Limits:    none here; the engine refuses packets above the server's limit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sftp/types.h"
#include "sftp/wire.h"

namespace sftpfs::sftp {

// The names under which the extensions are advertised and asked for.
namespace extension {
inline constexpr std::string_view kLimits = "limits@openssh.com";
inline constexpr std::string_view kPosixRename = "posix-rename@openssh.com";
inline constexpr std::string_view kHardlink = "hardlink@openssh.com";
inline constexpr std::string_view kFsync = "fsync@openssh.com";
inline constexpr std::string_view kStatvfs = "statvfs@openssh.com";
inline constexpr std::string_view kFstatvfs = "fstatvfs@openssh.com";
inline constexpr std::string_view kLsetstat = "lsetstat@openssh.com";
inline constexpr std::string_view kCopyData = "copy-data";
inline constexpr std::string_view kExpandPath = "expand-path@openssh.com";
inline constexpr std::string_view kHomeDirectory = "home-directory";
inline constexpr std::string_view kUsersGroupsById = "users-groups-by-id@openssh.com";
}  // namespace extension

Packet encode_init();

// LSTAT, STAT, OPENDIR, REMOVE, RMDIR, REALPATH, READLINK.
Packet encode_path(PacketType type, const std::string& path);
// SETSTAT, MKDIR.
Packet encode_path_attrs(PacketType type, const std::string& path, const Attrs& attrs);
// RENAME (old name, new name); SYMLINK (target, link: OpenSSH's order, not the draft's).
Packet encode_two_paths(PacketType type, const std::string& first, const std::string& second);
// CLOSE, FSTAT, READDIR.
Packet encode_handle(PacketType type, const Handle& handle);
Packet encode_fsetstat(const Handle& handle, const Attrs& attrs);
Packet encode_open(const std::string& path, std::uint32_t flags, const Attrs& attrs);
Packet encode_read(const Handle& handle, std::uint64_t offset, std::uint32_t length);
// Everything of a WRITE up to its data, of which `data_bytes` follow.
Packet encode_write_head(const Handle& handle, std::uint64_t offset, std::uint32_t data_bytes);

Packet encode_limits();
// statvfs, expand-path, home-directory (a user's name); fsync and fstatvfs (a handle).
Packet encode_extended_string(std::string_view extension, std::string_view argument);
// posix-rename, hardlink.
Packet encode_extended_paths(std::string_view extension, const std::string& first,
                             const std::string& second);
Packet encode_lsetstat(const std::string& path, const Attrs& attrs);
Packet encode_copy_data(const Handle& from, std::uint64_t from_offset, std::uint64_t length,
                        const Handle& to, std::uint64_t to_offset);
Packet encode_users_groups_by_id(const std::vector<std::uint32_t>& uids,
                                 const std::vector<std::uint32_t>& gids);

}  // namespace sftpfs::sftp
