// Client: one SFTP version 3 conversation over one byte stream, fully pipelined.
//
// Each operation encodes its request and queues it at once, in the order of the calls, and
// returns a Call<T> to co_await for the answer. Any number may be in flight. The server works on
// requests of one channel in order, so a READ queued behind a WRITE sees its data.
//
// Ownership: a sftp::Session (session.h) owns its client; a Call holds only its own state, so it
//            may outlive the client and then yields kConnectionLost.
// Threads:   the loop's thread only; never destroyed from inside a stream's event.
// Limits:    every length the server sends is bounded before memory is taken; one reply is at
//            most Limits::packet_bytes_max (READDIR: 1 MiB).
//
// Two queues. Metadata is sent before bulk, and bulk is handed to the stream piecemeal, so that
// at most about 1 MiB of bulk lies before a metadata request. What must stay behind a WRITE of the
// same file (its FSTAT, FSETSTAT, READ, FSYNC) goes through the bulk queue too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "runtime/byte_stream.h"
#include "runtime/cancel.h"
#include "runtime/task.h"
#include "sftp/call.h"
#include "sftp/link_estimator.h"
#include "sftp/types.h"

namespace sftpfs::sftp {

struct ClientStats {
  std::uint64_t requests_sent = 0;
  std::uint64_t replies_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t requests_in_flight = 0;
};

class Engine;  // engine.h

class Client {
 public:
  // Attaches the stream to the current loop, exchanges INIT and VERSION, asks for the limits.
  // Output before VERSION that is no SFTP (a shell's greeting) is quoted in the error.
  static runtime::Task<Result<std::unique_ptr<Client>>> start(
      std::unique_ptr<runtime::ByteStream> stream, runtime::Cancel* cancel);

  // One more conversation with the same server over the same connection, with what this one has
  // learnt of it. kUnsupported where connections do not carry several, or the server refuses.
  runtime::Task<Result<std::unique_ptr<Client>>> open_sibling(runtime::Cancel* cancel) const;
  bool may_have_siblings() const;

  ~Client();  // every open Call ends with kConnectionLost
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool alive() const;
  // Why the conversation ended; only when !alive().
  const Error& cause_of_death() const;
  // Called once, on the loop, from a turn of its own, when the conversation ends by itself (not
  // by kill()). The callback may destroy the client.
  void on_death(std::function<void()> callback);
  // Ends the conversation now: open calls yield kConnectionLost with `why`.
  void kill(const std::string& why);

  const Limits& limits() const;
  const Extensions& extensions() const;
  const ClientStats& stats() const;
  LinkEstimate link() const;
  const std::string& description() const;
  // When the server was last heard; for liveness.
  TimePoint last_heard() const;
  bool output_pending() const;
  // Of the output, what the network has taken (ByteStream::bytes_delivered).
  std::uint64_t bytes_delivered() const;
  void set_receive_window(std::size_t bytes);
  // Ends when no request is in flight any more.
  Call<void> drained();

  // From now on lstat() follows symbolic links as well.
  void follow_links() { follow_links_ = true; }

  // Attributes. stat() follows symbolic links, lstat() does not.
  Call<Attrs> stat(const std::string& path, Queue queue = Queue::kMetadata);
  Call<Attrs> lstat(const std::string& path, Queue queue = Queue::kMetadata);
  Call<Attrs> fstat(const Handle& handle, Queue queue = Queue::kMetadata);
  Call<void> setstat(const std::string& path, const Attrs& attrs, Queue queue = Queue::kMetadata);
  Call<void> fsetstat(const Handle& handle, const Attrs& attrs, Queue queue = Queue::kMetadata);
  // Does not follow links; kUnsupported without lsetstat@openssh.com.
  Call<void> lsetstat(const std::string& path, const Attrs& attrs);

  // Files. `flags` are OpenFlag bits. The handle of an abandoned open() is closed by the client.
  Call<Handle> open(const std::string& path, std::uint32_t flags, const Attrs& attrs);
  Call<void> close(const Handle& handle, Queue queue = Queue::kMetadata);
  // Fills `into` from `offset` and yields how many bytes there were; fewer only at the end of the
  // file. Larger requests than the server allows are split; after a short answer the rest is
  // asked for, unless it ends exactly at `known_size` (where the caller believes the file to end;
  // 0 or anything up to `offset` where he does not know).
  // `into` must stay valid until the call has ended or been destroyed.
  Call<std::size_t> read(const Handle& handle, std::uint64_t offset, MutableByteSpan into,
                         std::uint64_t known_size, Queue queue = Queue::kMetadata);
  // Split likewise; ends when every part is acknowledged, with the first error.
  Call<void> write(const Handle& handle, std::uint64_t offset, SharedBytes data);
  Call<void> fsync(const Handle& handle);  // bulk queue; kUnsupported without the extension
  // copy-data, through the bulk queue; length 0 copies up to the end of the source.
  Call<void> copy_data(const Handle& from, std::uint64_t from_offset, std::uint64_t length,
                       const Handle& to, std::uint64_t to_offset);

  // Names.
  Call<Handle> opendir(const std::string& path);
  // Empty: end of the directory.
  Call<std::vector<DirEntry>> readdir(const Handle& handle);
  Call<void> mkdir(const std::string& path, const Attrs& attrs);
  Call<void> rmdir(const std::string& path);
  Call<void> remove(const std::string& path);
  Call<void> rename(const std::string& from, const std::string& to);  // fails where `to` exists
  Call<void> posix_rename(const std::string& from, const std::string& to);
  Call<void> hardlink(const std::string& existing, const std::string& link);
  // In OpenSSH's order of arguments, which every common server follows, not the draft's.
  Call<void> symlink(const std::string& target, const std::string& link);
  Call<std::string> readlink(const std::string& path);
  Call<std::string> realpath(const std::string& path);
  Call<std::string> expand_path(const std::string& path);
  Call<std::string> home_directory(const std::string& user);

  Call<StatVfs> statvfs(const std::string& path);
  Call<StatVfs> fstatvfs(const Handle& handle);
  Call<UserGroupNames> users_groups_by_id(const std::vector<std::uint32_t>& uids,
                                          const std::vector<std::uint32_t>& gids);

  // For start().
  explicit Client(std::shared_ptr<Engine> engine);

 private:
  // Shared so that what the engine posts to its loop can tell that it is gone.
  std::shared_ptr<Engine> engine_;
  bool follow_links_ = false;
};

}  // namespace sftpfs::sftp
