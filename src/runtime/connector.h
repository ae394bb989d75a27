// Connector: makes one more authenticated stream to the same server; the clone of a session.
//
// Ownership: shared by all session slots of a mount; it holds the credentials.
// Threads:   connect() is called on any loop; the stream is handed to that loop.
// Limits:    an attempt ends within the connector's own timeout.
#pragma once

#include <memory>

#include "base/error.h"
#include "runtime/byte_stream.h"
#include "runtime/cancel.h"
#include "runtime/task.h"

namespace sftpfs::runtime {

class Connector {
 public:
  virtual ~Connector() = default;

  // The stream is not attached yet. `cancel` may be null.
  virtual Task<Result<std::unique_ptr<ByteStream>>> connect(Cancel* cancel) = 0;

  // False when a further session would need the user again (a one-time password).
  virtual bool can_clone() const = 0;
};

}  // namespace sftpfs::runtime
