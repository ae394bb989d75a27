// The vocabulary of SFTP version 3 (draft-ietf-secsh-filexfer-02) and of OpenSSH's extensions.
//
// Threads: plain values.
// Limits:  times are 32-bit seconds on the wire; anything finer is lost there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sftpfs::sftp {

// In which of the client's two queues a request waits to be sent (client.h).
enum class Queue : std::uint8_t { kMetadata, kBulk };

// SSH_FX_*: section 7 of the draft.
enum StatusCode : std::uint32_t {
  kFxOk = 0,
  kFxEof = 1,
  kFxNoSuchFile = 2,
  kFxPermissionDenied = 3,
  kFxFailure = 4,
  kFxBadMessage = 5,
  kFxNoConnection = 6,
  kFxConnectionLost = 7,
  kFxOpUnsupported = 8,
  // Of later drafts.
  kFxFileAlreadyExists = 11,
  kFxWriteProtect = 12,
  kFxNoSpace = 14,
  kFxQuotaExceeded = 15,
  kFxDirNotEmpty = 18,
  kFxNotADirectory = 19,
  kFxInvalidFilename = 20,
  kFxLinkLoop = 21,
  kFxCannotDelete = 22,
  kFxFileIsADirectory = 24,
};

// SSH_FILEXFER_ATTR_*: which members of Attrs are present.
enum AttrFlag : std::uint32_t {
  kAttrSize = 0x1,
  kAttrUidGid = 0x2,
  kAttrPermissions = 0x4,
  kAttrTimes = 0x8,
  kAttrExtended = 0x80000000,
};

struct Attrs {
  std::uint32_t flags = 0;
  std::uint64_t size = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t permissions = 0;  // st_mode: type and permission bits
  std::uint32_t atime = 0;        // seconds since 1970, unsigned
  std::uint32_t mtime = 0;
  bool has(AttrFlag flag) const { return (flags & flag) != 0; }
  friend bool operator==(const Attrs&, const Attrs&) = default;
};

// SSH_FXF_*: how to open a file.
enum OpenFlag : std::uint32_t {
  kOpenRead = 0x1,
  kOpenWrite = 0x2,
  kOpenAppend = 0x4,
  kOpenCreate = 0x8,
  kOpenTruncate = 0x10,
  kOpenExclusive = 0x20,
};

// An opaque handle of the server, at most 256 bytes; valid in the session that opened it.
using Handle = std::string;

struct DirEntry {
  std::string name;  // filtered: never empty, ".", "..", and without '/' and NUL
  Attrs attrs;
};

// statvfs@openssh.com
struct StatVfs {
  std::uint64_t block_size = 0;
  std::uint64_t fragment_size = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;
  std::uint64_t files = 0;
  std::uint64_t files_free = 0;
  std::uint64_t files_available = 0;
  std::uint64_t filesystem_id = 0;
  std::uint64_t flags = 0;
  std::uint64_t name_max = 0;
};

// limits@openssh.com, or the protocol's minimum where the server does not say.
struct Limits {
  std::uint64_t packet_bytes_max = 34000;
  std::uint64_t read_bytes_max = 32768;
  std::uint64_t write_bytes_max = 32768;
  std::uint64_t handles_max = 0;  // 0: unknown
};

// What the server advertised in SSH_FXP_VERSION.
struct Extensions {
  bool posix_rename = false;
  bool hardlink = false;
  bool fsync = false;
  bool statvfs = false;
  bool fstatvfs = false;
  bool lsetstat = false;
  bool limits = false;
  bool copy_data = false;
  bool expand_path = false;
  bool home_directory = false;
  bool users_groups_by_id = false;
};

// users-groups-by-id@openssh.com: names in the order asked for; empty where unknown.
struct UserGroupNames {
  std::vector<std::string> users;
  std::vector<std::string> groups;
};

}  // namespace sftpfs::sftp
