// Which of the appended bytes whose acknowledgement was lost are in the file already.
//
// A WRITE at an offset may be repeated; an append may not, it would stand in the file twice. So
// the end of the file is read back, from where the first of the unacknowledged bytes was meant to
// stand, and compared.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace sftpfs::fs {

struct Appended {
  Appended(std::uint64_t meant_for, ByteSpan data) : offset(meant_for), bytes(data) {}
  std::uint64_t offset;  // where the application meant them to stand
  ByteSpan bytes;
};

// How many bytes of each of `appended`, from its beginning, stand in `tail`, which reaches from the
// offset `from` to the end of the file.
//   - If all that `tail` shows stands where it was meant to, we alone have written; the last of it
//     may be there in part, because a server works in pieces.
//   - Else others append too: each one is searched for, whole, behind the one before.
std::vector<std::size_t> bytes_already_appended(ByteSpan tail, std::uint64_t from,
                                                const std::vector<Appended>& appended);

}  // namespace sftpfs::fs
