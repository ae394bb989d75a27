// Which of the appended bytes whose acknowledgement was lost are in the file already.
//
// A WRITE at an offset may be repeated; an append may not, it would stand in the file twice. So
// the end of the file is read back, from where the first of the unacknowledged bytes was meant to
// stand, and compared.
//
// Threads: pure functions.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace sftpfs::fs {

// How many bytes of each of `appended`, from its beginning, stand in `tail`, which reaches to the
// end of the file.
//   - If `tail` is a beginning of all of `appended` together, we alone have written; the last of it
//     may be there in part, because a server works in pieces.
//   - Else others append too: each one is searched for, whole, behind the one before.
std::vector<std::size_t> bytes_already_appended(ByteSpan tail,
                                                const std::vector<ByteSpan>& appended);

}  // namespace sftpfs::fs
