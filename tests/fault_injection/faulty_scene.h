// FaultyScene: a mount whose server makes mistakes on command, and processes that write through it
// and tell what they were told.
//
// Ownership: owns script, server and mount.
// Threads:   one thread.
// Limits:    one session, so that the script counts what one file sees.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "fault_injection/fault_script.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {

// As large as it takes for every piece to become a WRITE of its own.
constexpr std::size_t kPieceSize = 64 << 10;
// Pieces that differ from each other.
constexpr std::size_t kPiecesMax = 128;

class FaultyScene {
 public:
  explicit FaultyScene(const std::vector<std::string>& extra_options = {},
                       const std::string& remote_dir = {});

  const SharedScript& script() const { return script_; }
  TestServer& server() { return server_; }
  TestMount& mount() { return mount_; }
  std::string file(const std::string& name) const { return mount_.file(name); }
  std::string on_server(const std::string& name) const { return server_.root() + "/" + name; }

 private:
  SharedScript script_;
  TestServer server_;
  TestMount mount_;
};

// What a system call said: "write 17: ENOSPC"; nothing where it succeeded.
class Errors {
 public:
  void note(const std::string& call, ssize_t result);
  // All of them, separated by "; ".
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// "write 17: ENOSPC" -> "ENOSPC"; several or none as they are.
std::string error_of(const std::string& errors);

// Writes piece `number` of the file's pattern, and nothing else; the result of pwrite(2).
ssize_t write_piece(int fd, std::uint64_t number);
// Which of the first `count` pieces of a local file are not as write_piece() made them.
std::vector<int> wrong_pieces(const std::string& path, int count);

}  // namespace sftpfs::test
