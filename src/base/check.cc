// See check.h.
#include "base/check.h"

#include <cstdlib>

#include "base/log.h"

namespace sftpfs {

void check_failed(const char* condition, const char* file, int line) {
  log_error("internal error: {} does not hold at {}:{}", condition, file, line);
  std::abort();
}

}  // namespace sftpfs
