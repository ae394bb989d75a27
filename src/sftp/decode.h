// Decoders: one function per reply. Each is given the body behind the id and answers with the
// value, with the server's STATUS as an error (kSftpStatus), or with kProtocol when the body is
// malformed.
//
// Ownership: values own their bytes.
// Threads:   pure functions.
// Limits:    every length is checked against the rest and a maximum; a count is believed only as
//            far as bytes follow it. Bytes behind the known fields are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "sftp/types.h"
#include "sftp/wire.h"

namespace sftpfs::sftp {

// One reply except DATA, whose payload never passes through here.
struct Reply {
  PacketType type;
  ByteSpan body;  // what follows the request id
};

struct Version {
  std::uint32_t number = 0;
  Extensions extensions;
};

// A READDIR answer: `received` counts the entries before those with impossible names were
// dropped, because an empty list means the end of the directory.
struct NameList {
  std::size_t received = 0;
  std::vector<DirEntry> entries;
};

// The body of VERSION (from the version number on). Extensions in versions we do not know, and
// everything after a malformed pair, count as absent.
Result<Version> decode_version(ByteSpan body);

Status decode_status(const Reply& reply);
Result<Handle> decode_handle(const Reply& reply);
Result<Attrs> decode_attrs(const Reply& reply);
// EOF is an empty list.
Result<NameList> decode_names(const Reply& reply);
// REALPATH, READLINK, expand-path, home-directory: exactly one name.
Result<std::string> decode_path(const Reply& reply);
Result<StatVfs> decode_statvfs(const Reply& reply);
// Made usable: values of 0 mean "not said", absurd ones are clamped.
Result<Limits> decode_limits(const Reply& reply);
Result<UserGroupNames> decode_users_groups(const Reply& reply, std::size_t users,
                                           std::size_t groups);

// What a directory may hold: not empty, ".", "..", no '/', no NUL.
bool is_entry_name(std::string_view name);

}  // namespace sftpfs::sftp
