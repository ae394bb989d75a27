// Terminal: questions to the person at /dev/tty.
//
// While an answer is awaited, the signals that end or stop a process are held back, so that the
// echo is always switched on again first; then they take their usual way. A process whose other
// threads do not block them (SignalMask) must ask before it starts any.
//
// Ownership: owns its descriptor.
// Threads:   one thread at a time.
// Limits:    an answer is one line of at most Secret::kDefaultCapacity bytes; no time limit.
#pragma once

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ssh/secret.h"

namespace sftpfs::app {

enum class Echo { kOn, kOff };

class Terminal {
 public:
  // An error when there is none, or when we are in its background and must not read.
  static Result<Terminal> open(const std::string& path = "/dev/tty");

  // Shows `prompt` (made printable: servers write some of them) and reads a line. kCancelled on
  // end of file, on a signal, and when `cancel_fd` (or -1) becomes readable.
  Result<ssh::Secret> ask(const std::string& prompt, Echo echo, int cancel_fd);

 private:
  explicit Terminal(UniqueFd fd) : fd_(std::move(fd)) {}
  void show(const std::string& text) const;

  UniqueFd fd_;
};

}  // namespace sftpfs::app
