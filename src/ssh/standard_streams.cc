// See standard_streams.h.
#include "ssh/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kChunkBytes = 256 << 10;

// A pipe without a reader must end the copying, not the process; nor are the process's own signals
// for these threads.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

// False when it is time to stop. Both ends may be shared with other processes, so they keep their
// mode: whoever polls first never blocks for long.
bool wait_for(int fd, short events, int stop) {
  while (true) {
    std::array<pollfd, 2> fds{{{stop, POLLIN, 0}, {fd, events, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    return fds[0].revents == 0;
  }
}

bool write_all(int fd, const char* data, std::size_t size, int stop) {
  while (size > 0) {
    if (!wait_for(fd, POLLOUT, stop)) return false;
    // A pipe that is writable takes so much without blocking.
    const ssize_t written = ::write(fd, data, std::min<std::size_t>(size, 4096));
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

void carry(int from, int to, int stop) {
  block_signals();
  std::vector<char> chunk(kChunkBytes);
  while (wait_for(from, POLLIN, stop)) {
    const ssize_t got = ::read(from, chunk.data(), chunk.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0 || !write_all(to, chunk.data(), static_cast<std::size_t>(got), stop)) return;
  }
}

Result<UniqueFd> given(int fd, const char* name) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!copy || !nothing || ::dup2(nothing.get(), fd) < 0) return fail(Error::system(errno, name));
  return copy;
}

}  // namespace

StandardStreams::StandardStreams(UniqueFd input, UniqueFd output, UniqueFd socket)
    : input_(std::move(input)),
      output_(std::move(output)),
      socket_(std::move(socket)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  inward_ = std::thread([this] {
    carry(input_.get(), socket_.get(), stop_.get());
    // The reader of the socket has to see the end.
    ::shutdown(socket_.get(), SHUT_WR);
  });
  outward_ = std::thread([this] {
    carry(socket_.get(), output_.get(), stop_.get());
    ::shutdown(socket_.get(), SHUT_RDWR);
  });
}

StandardStreams::~StandardStreams() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof(one));
  inward_.join();
  outward_.join();
}

Result<StandardStreams::Taken> StandardStreams::between(UniqueFd input, UniqueFd output) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Error::system(errno, "socketpair"));
  }
  Taken taken;
  taken.socket = UniqueFd(ends[0]);
  UniqueFd theirs(ends[1]);
  if (::fcntl(ends[0], F_SETFL, ::fcntl(ends[0], F_GETFL) | O_NONBLOCK) != 0) {
    return fail(Error::system(errno, "fcntl"));
  }
  taken.streams.reset(new StandardStreams(std::move(input), std::move(output), std::move(theirs)));
  return taken;
}

Result<StandardStreams::Taken> StandardStreams::take() {
  Result<UniqueFd> input = given(STDIN_FILENO, "standard input");
  if (!input) return fail(input.error());
  Result<UniqueFd> output = given(STDOUT_FILENO, "standard output");
  if (!output) return fail(output.error());
  return between(std::move(*input), std::move(*output));
}

}  // namespace sftpfs::ssh
