// Runs ByteStreams on a loop of their own until their conversations have come to an end.
//
// Ownership: functions that borrow the stream; it is attached to a loop that ends with the call,
//            so each stream is good for one conversation. Streams are destroyed by the call.
// Threads:   the calling thread is the loop's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/byte_stream.h"

namespace sftpfs::test {

constexpr std::chrono::seconds kConversationTimeout{60};

struct Conversation {
  bool complete = false;  // all that was expected has come, and it was right
  std::uint64_t received = 0;
  std::optional<Error> error;  // what the stream ended with
  std::chrono::milliseconds destroyed_in{};
  std::string describe() const;
};

// Sends `bytes` of a pattern and expects them back from a server that echoes ("/bin/cat").
// `window`, unless 0, is what the stream is told to have under way.
Conversation echo(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes,
                  std::size_t window = 0);

// The same over the stream and over `siblings` of its connection, all at once. While they talk one
// more is opened and dropped half-way. Of each but that its outcome; when the server refuses one,
// the last outcome is that error.
std::vector<Conversation> echo_with_siblings(std::unique_ptr<runtime::ByteStream> stream,
                                             std::size_t siblings, std::uint64_t bytes);

// Says hello over the stream and over a sibling, calls `meanwhile`, then waits until both report
// their ends.
std::vector<Conversation> wait_for_ends(std::unique_ptr<runtime::ByteStream> stream,
                                        const std::function<void()>& meanwhile);

// The same, but calls `before` when half of it is back, with bytes under way in both directions,
// and drops the stream there and then.
Conversation echo_and_abandon(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes,
                              const std::function<void()>& before);

// Says INIT and expects VERSION: whether there is an SFTP server at the other end.
Conversation say_hello(std::unique_ptr<runtime::ByteStream> stream);

// Says hello, calls `meanwhile`, then waits until the stream reports its end.
Conversation wait_for_end(std::unique_ptr<runtime::ByteStream> stream,
                          const std::function<void()>& meanwhile);

}  // namespace sftpfs::test
