// A pseudo terminal: the test is the person (and the screen), the code under test sits at path().
//
// Ownership: owns both ends.
// Threads:   one thread for the person's side.
#pragma once

#include <pty.h>
#include <termios.h>

#include <array>
#include <climits>
#include <string>

#include "base/unique_fd.h"
#include "support/test_error.h"
#include "unit/app/child_process.h"

namespace sftpfs::app {

class PseudoTerminal {
 public:
  PseudoTerminal() {
    int person = -1;
    int programme = -1;
    std::array<char, PATH_MAX> name{};
    test::must(::openpty(&person, &programme, name.data(), nullptr, nullptr), "openpty");
    person_.reset(person);
    programme_.reset(programme);
    // A forked child that kept the person's side open would never see it hang up.
    ::fcntl(person, F_SETFD, FD_CLOEXEC);
    path_ = name.data();
  }

  const std::string& path() const { return path_; }
  int programme_fd() const { return programme_.get(); }
  void type(const std::string& text) const {
    test::must(::write(person_.get(), text.data(), text.size()), "typing");
  }
  // Everything shown up to and including `text`.
  std::string screen_until(const std::string& text) {
    std::string seen;
    while (seen.find(text) == std::string::npos) {
      const std::optional<char> c = next_char(person_.get());
      if (!c) throw test::TestError("the terminal hung up after: " + seen);
      seen.push_back(*c);
    }
    return seen;
  }
  bool echoes() const {
    termios state{};
    test::must(::tcgetattr(programme_.get(), &state), "tcgetattr");
    return (state.c_lflag & ECHO) != 0;
  }

 private:
  UniqueFd person_;
  UniqueFd programme_;
  std::string path_;
};

}  // namespace sftpfs::app
