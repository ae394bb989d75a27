// StandardStreams: what this process was given as standard input and output, as one socket (the
// option `passive`). Two threads carry the bytes, because either may be a pipe.
//
//   standard input ──► socket ──► standard output
//
// Ownership: owns copies of both descriptors and its threads; ended by its destructor.
// Threads:   made and destroyed by one thread.
// Limits:    once in the life of a process: afterwards both descriptors are /dev/null, so that
//            nothing printed by accident gets between the bytes.
#pragma once

#include <memory>
#include <thread>

#include "base/error.h"
#include "base/unique_fd.h"

namespace sftpfs::ssh {

class StandardStreams {
 public:
  struct Taken {
    std::unique_ptr<StandardStreams> streams;
    UniqueFd socket;  // non-blocking; the server is behind it
  };
  static Result<Taken> take();
  // The same between any two descriptors.
  static Result<Taken> between(UniqueFd input, UniqueFd output);
  ~StandardStreams();
  StandardStreams(const StandardStreams&) = delete;
  StandardStreams& operator=(const StandardStreams&) = delete;

 private:
  StandardStreams(UniqueFd input, UniqueFd output, UniqueFd socket);

  UniqueFd input_;
  UniqueFd output_;
  UniqueFd socket_;  // the threads' end
  UniqueFd stop_;    // readable once they must end
  std::thread inward_;
  std::thread outward_;
};

}  // namespace sftpfs::ssh
