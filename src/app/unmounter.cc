// See unmounter.h.
#include "app/unmounter.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "app/mount_record.h"
#include "app/mountpoint.h"

namespace sftpfs::app {
namespace {

constexpr char kUnmount = 'U';
constexpr char kDone = 'D';
constexpr char kFailed = 'F';
constexpr int kSocket = STDERR_FILENO + 1;

bool read_byte(int fd, char& byte) {
  ssize_t got = -1;
  do {
    got = ::read(fd, &byte, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1;
}

bool send_byte(int fd, char byte) { return ::send(fd, &byte, 1, MSG_NOSIGNAL) == 1; }

// Nothing of the daemon's: its descriptors would keep connections open, its directory a mount busy,
// and signals to its group are for it alone.
bool leave_everything(int socket) {
  ::prctl(PR_SET_NAME, "sftpfs-unmount");
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(number, SIG_IGN);
  if (::setsid() < 0 || ::chdir("/") != 0) return false;
  if (socket != kSocket && ::dup2(socket, kSocket) < 0) return false;
  if (::fcntl(kSocket, F_SETFD, FD_CLOEXEC) != 0) return false;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (::dup2(null, fd) < 0) return false;
  }
  return ::syscall(SYS_close_range, kSocket + 1, ~0U, 0) == 0;
}

[[noreturn]] void serve(int socket, const std::string& path) {
  if (!leave_everything(socket)) ::_exit(1);
  char asked = 0;
  while (read_byte(kSocket, asked) && asked == kUnmount) {
    const Status detached = detach_mount(path);
    if (!send_byte(kSocket, detached ? kDone : kFailed)) break;
  }
  // The daemon cannot write there any more, or has died.
  const Status forgotten = forget_mount_record(path);
  ::_exit(forgotten ? 0 : 1);
}

}  // namespace

Result<Unmounter> Unmounter::start(const std::string& path) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Error::system(errno, "socketpair"));
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const pid_t process = ::fork();
  if (process < 0) return fail(Error::system(errno, "fork"));
  if (process == 0) serve(theirs.get(), path);
  return Unmounter(process, std::move(ours));
}

Unmounter::Unmounter(Unmounter&& other) noexcept
    : process_(std::exchange(other.process_, -1)), socket_(std::move(other.socket_)) {}

Unmounter::~Unmounter() {
  if (process_ < 0) return;
  socket_.reset();
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Status Unmounter::unmount() {
  char answer = kFailed;
  if (!send_byte(socket_.get(), kUnmount) || !read_byte(socket_.get(), answer)) {
    return fail(ErrorCode::kUnsupported, "the process that unmounts has ended");
  }
  if (answer == kDone) return {};
  return fail(ErrorCode::kUnsupported, "unmounting was refused");
}

}  // namespace sftpfs::app
