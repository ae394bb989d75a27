// See byte_stream.h.
#include "runtime/byte_stream.h"

namespace sftpfs::runtime {

Task<Result<std::unique_ptr<ByteStream>>> ByteStream::open_sibling(Cancel* /*cancel*/) {
  co_return fail(ErrorCode::kUnsupported, "one connection, one stream");
}

}  // namespace sftpfs::runtime
