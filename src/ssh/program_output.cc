// See program_output.h.
#include "ssh/program_output.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "ssh/child.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kErrorBytesMax = 4096;

// Appends what is there. False at the end of the stream.
Result<bool> take(int fd, std::string& into) {
  std::array<char, 16384> chunk{};
  const ssize_t got = ::read(fd, chunk.data(), chunk.size());
  if (got > 0) {
    into.append(chunk.data(), static_cast<std::size_t>(got));
    return true;
  }
  if (got == 0 || errno == ECONNRESET) return false;
  if (errno == EAGAIN || errno == EINTR) return true;
  return fail(Error::system(errno, "read"));
}

}  // namespace

Result<ProgramOutput> program_output(const std::vector<std::string>& argv, std::size_t bytes_max,
                                     const Patience& patience) {
  Result<Child::Started> started = Child::start(argv);
  if (!started) return fail(started.error());
  // Its standard input is the same socket; it finds it empty.
  ::shutdown(started->socket.get(), SHUT_WR);
  ProgramOutput result;
  bool more_output = true;
  bool more_errors = true;
  while (more_output || more_errors) {
    std::array<pollfd, 2> fds{};
    fds[0] = {more_output ? started->socket.get() : -1, POLLIN, 0};
    fds[1] = {more_errors ? started->errors.get() : -1, POLLIN, 0};
    Result<int> ready = patience.poll(fds, std::chrono::hours(1));
    if (!ready) return fail(ready.error());
    Result<bool> output = more_output;
    Result<bool> errors = more_errors;
    if (fds[0].revents != 0) output = take(started->socket.get(), result.output);
    if (fds[1].revents != 0) errors = take(started->errors.get(), result.errors);
    if (!output) return fail(output.error());
    if (!errors) return fail(errors.error());
    more_output = *output;
    more_errors = *errors;
    if (result.output.size() > bytes_max) {
      return fail(ErrorCode::kProtocol, fmt::format("{}: too much output", argv.front()));
    }
    if (result.errors.size() > kErrorBytesMax) {
      result.errors.erase(0, result.errors.size() - kErrorBytesMax);
    }
  }
  if (Status ended = started->child.wait(patience); !ended) return fail(ended.error());
  result.succeeded = started->child.ending() == "exit status 0";
  return result;
}

}  // namespace sftpfs::ssh
