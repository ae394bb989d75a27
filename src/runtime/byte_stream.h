// ByteStream: the one thing the SFTP client needs from below, an ordered stream of bytes to and
// from a server's sftp subsystem. Behind it stands libssh2, an ssh(1) child, a local sftp-server
// process or a test double.
//
// Ownership: the SFTP client owns its stream.
// Threads:   one loop's thread from attach() on; before that, any single thread (a connector
//            authenticates in a helper thread and hands the stream over).
// Limits:    a stream buffers at most about 256 KiB of output, so that what the client decides
//            to send next is really sent next; write() takes less when it has that much.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "runtime/cancel.h"
#include "runtime/task.h"

namespace sftpfs::runtime {

class Loop;

class ByteStreamEvents {
 public:
  virtual void on_readable() = 0;  // read() may yield bytes, or the reason why the stream ended
  virtual void on_writable() = 0;  // after a write() that took less than it was given

 protected:
  ~ByteStreamEvents() = default;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;  // releases everything without waiting for the peer

  // Called once; `events` is called on `loop`'s thread, never from inside read() or write().
  virtual Status attach(Loop& loop, ByteStreamEvents& events) = 0;

  // Scatters what has arrived into `into`, in order. 0: nothing now, on_readable() will tell.
  // An error is final: kConnectionLost (also at the end of the stream) with the cause as text.
  // The caller reads until it gets less than it asked for before it waits for on_readable().
  virtual Result<std::size_t> read(std::span<const iovec> into) = 0;

  // Takes as many bytes as it has room for, possibly 0; on_writable() tells when to go on.
  // Bytes taken are sent without another call (at the latest at the end of the turn).
  virtual Result<std::size_t> write(std::span<const iovec> from) = 0;

  // Whether sent bytes are still on this side; for draining before the end.
  virtual bool output_pending() const = 0;

  // How many bytes of output have left this machine's reach for good: acknowledged by the peer's
  // kernel, or taken by the child. Never decreases; always 0 where it cannot be told.
  virtual std::uint64_t bytes_delivered() const { return 0; }

  // How much the receiver wants to have under way; a hint (libssh2: the channel's window).
  virtual void set_receive_window(std::size_t bytes) = 0;

  // Whether the connection below can carry further streams.
  virtual bool may_have_siblings() const { return false; }
  // One more stream to the same server over the same connection, not attached yet. kUnsupported
  // where there is no such thing, or the server refuses it. Only while this one is attached; it is
  // not harmed. `cancel` may be null.
  virtual Task<Result<std::unique_ptr<ByteStream>>> open_sibling(Cancel* cancel);

  // Who is at the other end, for messages: "user@host:port (libssh2, aes128-ctr)".
  virtual const std::string& description() const = 0;
};

}  // namespace sftpfs::runtime
