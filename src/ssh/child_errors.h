// ChildErrors: the standard error of a child process, read as it comes and kept for the moment when
// somebody wants to know why the child has ended.
//
// Ownership: owns our end of it.
// Threads:   one until attach(), then the loop's.
// Limits:    the last 4 KiB; every line goes to the debug log.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "runtime/loop.h"
#include "ssh/fd_watch.h"

namespace sftpfs::ssh {

class ChildErrors final : public runtime::IoHandler {
 public:
  // Is shown each line, and where an answer to it can be sent (child.h: answerable); true: it was
  // for us, and is no text of an error.
  using LineWatch = std::function<bool(std::string_view line, int answers)>;

  ChildErrors(UniqueFd pipe, std::string peer, LineWatch line_watch)
      : pipe_(std::move(pipe)), peer_(std::move(peer)), line_watch_(std::move(line_watch)) {}
  void attach(runtime::Loop& loop);
  void on_io(std::uint32_t events) override;
  void drain();
  // The last lines, but for chatter.
  std::string tail() const;

 private:
  void take(std::string_view text);
  void end_line();

  UniqueFd pipe_;
  std::string peer_;
  LineWatch line_watch_;
  std::string tail_;
  std::string line_;
  std::optional<FdWatch> watch_;
};

}  // namespace sftpfs::ssh
