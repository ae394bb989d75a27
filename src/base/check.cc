// See check.h.
#include "base/check.h"

#include <cstdlib>

#include "base/log.h"

namespace sftpfs {

void check_failed(const char* condition, const char* file, int line) {
  // Past the level filter: even a silenced mount says why it dies.
  log_write(LogLevel::kError, "internal error: {} does not hold at {}:{}",
            fmt::make_format_args(condition, file, line));
  std::abort();
}

}  // namespace sftpfs
