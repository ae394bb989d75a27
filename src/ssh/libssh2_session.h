// Libssh2Session: libssh2 as a pure state machine. It never touches the socket: what it sends goes
// into our output queue, which never refuses, and what it receives comes from our input queue.
//
// Why: every non-blocking fault of libssh2 1.10 (errors while a packet is half sent, the rekey
// deadlock, teardown that waits for the peer) needs a partial packet inside the library, and a
// SEND that always takes everything leaves none.
//
//   bytes on the socket --fill()--> input --RECV--> libssh2 --SEND--> output --flush()--> socket
//
// Ownership: owns socket, session and channels. Destroying it waits for nobody: dead -> channel
//            free -> session free -> close.
// Threads:   one at a time; it may be handed over between calls.
// Limits:    SSH-2 only; channels are opened one at a time.
#pragma once

#include <libssh2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ssh/algorithms.h"
#include "ssh/byte_queue.h"
#include "ssh/patience.h"
#include "ssh/proxy.h"
#include "ssh/session_memory.h"

namespace sftpfs::ssh {

// libssh2_init() is not thread-safe: main() calls this before it starts threads. Sessions made
// without it call it themselves, once.
Status libssh2_start();

class Libssh2Session {
 public:
  // `socket` is connected and non-blocking; `peer` names the server in messages. `proxy` is the
  // child at the other end of the socket, or null.
  static Result<std::unique_ptr<Libssh2Session>> create(UniqueFd socket, std::string peer,
                                                        std::unique_ptr<Proxy> proxy = nullptr);
  ~Libssh2Session();
  Libssh2Session(const Libssh2Session&) = delete;
  Libssh2Session& operator=(const Libssh2Session&) = delete;

  // The blocking phase: each call returns when its step is done or patience is at an end.
  // `known_types` are the types of host keys we know, best first.
  Status handshake(const std::vector<std::string>& known_types, const AlgorithmLists& lists,
                   bool compression, const Patience& patience);
  // A subsystem by its name, or a command when `sftp_server` contains a '/'.
  Status open_channel(const std::string& sftp_server, const Patience& patience);
  // The same in two steps, for a further channel in the event-driven phase: 0 when it is done,
  // LIBSSH2_ERROR_EAGAIN as long as the server has not answered, or another error. Only one
  // channel can be in the first step; `channel` is null until that is done.
  long try_open(LIBSSH2_CHANNEL*& channel);
  long try_start(LIBSSH2_CHANNEL* channel, const std::string& sftp_server);
  // Closes one of several channels. False: again, when something has been received.
  bool try_close(LIBSSH2_CHANNEL* channel);
  // A connection that the server makes for us (direct-tcpip of RFC 4254, 7.2).
  Status open_forward(const std::string& host, std::uint16_t port, const Patience& patience);
  // Repeats `step`, a libssh2 call that returns LIBSSH2_ERROR_EAGAIN, until it has something else
  // to say, and returns that. An error means that waiting came to an end.
  template <class Step>
  Result<long> drive(const Patience& patience, Step step) {
    while (true) {
      const std::size_t before = input_.size();
      const long rc = step();
      flush();
      if (rc != LIBSSH2_ERROR_EAGAIN) return rc;
      // libssh2 may say "again" with input left over; only an unchanged queue means waiting.
      if (input_.size() != before && !input_.empty()) continue;
      if (Status more = wait_for_input(patience); !more) return fail(more.error());
    }
  }

  // The event-driven phase.
  // One recv(): how many bytes came. 0: none now, or the end (ended()).
  std::size_t fill();
  // One send() of what is waiting.
  void flush();
  bool ended() const { return ended_; }
  // The last recv() took all there was: the next one is epoll's to announce.
  bool drained() const { return drained_; }
  // Why the session is over, for an error that libssh2 has returned or for an end of stream.
  Error failure(long libssh2_rc) const;

  LIBSSH2_SESSION* raw() const { return session_; }
  // The first one.
  LIBSSH2_CHANNEL* channel() const { return channels_.empty() ? nullptr : channels_.front(); }
  int fd() const { return socket_.get(); }
  const std::string& peer() const { return peer_; }
  std::size_t input_size() const { return input_.size(); }
  // How much libssh2 has taken of the input: any of it may be for any channel.
  std::uint64_t input_taken() const { return input_taken_; }
  bool input_full() const;
  std::size_t output_size() const { return output_.size(); }
  std::string host_key() const;
  std::string server_banner() const;
  // "aes128-ctr" of the direction to us.
  std::string cipher() const;
  // Null for a direct connection.
  Proxy* proxy() const { return proxy_.get(); }
  // How much of what was sent has left this machine, or was taken by the proxy.
  std::uint64_t bytes_delivered() const;
  // What libssh2 is given to free must come from here.
  SessionMemory& memory() { return memory_; }
  // For callbacks of libssh2 that only get the session: `*abstract` is this object.
  void set_user_data(void* data) { user_data_ = data; }
  void* user_data() const { return user_data_; }

 private:
  Libssh2Session(UniqueFd socket, std::string peer, std::unique_ptr<Proxy> proxy)
      : socket_(std::move(socket)), peer_(std::move(peer)), proxy_(std::move(proxy)) {}
  friend struct Libssh2Callbacks;
  bool create_session();
  Status set_preferences(const Proposal& proposal, bool compression);
  Status wait_for_input(const Patience& patience);
  bool prefer(int method, const std::vector<std::string>& names);

  UniqueFd socket_;
  std::string peer_;
  std::unique_ptr<Proxy> proxy_;
  SessionMemory memory_;
  LIBSSH2_SESSION* session_ = nullptr;
  std::vector<LIBSSH2_CHANNEL*> channels_;
  ByteQueue input_;
  ByteQueue output_;
  std::uint64_t input_taken_ = 0;
  bool ended_ = false;  // nothing more will be received
  bool drained_ = false;
  std::uint64_t bytes_sent_ = 0;
  int socket_errno_ = 0;  // why, where the socket said so
  bool dead_ = false;     // being torn down: SEND and RECV fail
  void* user_data_ = nullptr;
  std::string disconnect_text_;  // of the server's SSH_MSG_DISCONNECT
};

}  // namespace sftpfs::ssh
