// The control protocol: a client connects, sends one request, reads lines until the last, and goes.
//
//   client:  {"command": "flush"}
//   server:  {"progress": {"dirty_bytes": 1048576}}        any number, only of commands that last
//            {"result": {...}}   or   {"error": "text"}    the last line
//
// Every line is one JSON value and ends with a newline.
#pragma once

#include <chrono>
#include <cstddef>

namespace sftpfs::ctl {

// A request is a command and a few words, or a line of options from fstab.
inline constexpr std::size_t kRequestBytesMax = 64 << 10;
// A reply may list thousands of operations under way.
inline constexpr std::size_t kReplyBytesMax = 4 << 20;
inline constexpr std::size_t kConnectionsMax = 16;
// How long the other side may take to send its request, or to read what was sent to it.
inline constexpr std::chrono::seconds kPeerPatience{5};

}  // namespace sftpfs::ctl
