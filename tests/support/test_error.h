// TestError: what test support throws when the scene of a test cannot be set.
//
// Test support is the one place that throws: GoogleTest turns the exception into a failure of the
// test that was being set up, with its text, and destructors take the half-built scene down.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace sftpfs::test {

class TestError : public std::runtime_error {
 public:
  explicit TestError(const std::string& what) : std::runtime_error(what) {}
};

// Throws with the text of errno; `what` names the call and the object.
[[noreturn]] inline void throw_errno(const std::string& what) {
  const int saved = errno;
  throw TestError(what + ": " + std::strerror(saved));
}

// Passes a system call's result through, or throws.
template <class T>
T must(T result, const std::string& what) {
  if (result < 0) throw_errno(what);
  return result;
}

}  // namespace sftpfs::test
