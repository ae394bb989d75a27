// See signals.h.
#include "app/signals.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"

namespace sftpfs::app {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

sigset_t watched_signals() {
  sigset_t set = ending_signals();
  ::sigaddset(&set, SIGUSR1);
  return set;
}

}  // namespace

SignalMask::SignalMask() {
  const sigset_t set = watched_signals();
  SFTPFS_CHECK(::pthread_sigmask(SIG_BLOCK, &set, &previous_mask_) == 0);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  SFTPFS_CHECK(::sigaction(SIGPIPE, &ignore, &previous_pipe_) == 0);
}

SignalMask::~SignalMask() {
  ::sigaction(SIGPIPE, &previous_pipe_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
}

SignalMask::Pause::Pause() {
  const sigset_t set = ending_signals();
  SFTPFS_CHECK(::pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
}

SignalMask::Pause::~Pause() {
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalWatcher::SignalWatcher(runtime::Loop& loop, Callback callback)
    : loop_(loop), callback_(std::move(callback)) {}

Status SignalWatcher::start() {
  const sigset_t set = watched_signals();
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(Error::system(errno, "signalfd"));
  const Status added = loop_.add_fd(fd.get(), EPOLLIN, *this);
  if (!added) return added;
  fd_ = std::move(fd);
  return {};
}

SignalWatcher::~SignalWatcher() {
  if (fd_) loop_.remove_fd(fd_.get(), *this);
}

void SignalWatcher::on_io(std::uint32_t /*events*/) {
  // One at a time: the callback may destroy the watcher.
  signalfd_siginfo info{};
  const ssize_t got = ::read(fd_.get(), &info, sizeof(info));
  if (got != sizeof(info)) return;
  const Callback callback = callback_;
  callback(static_cast<int>(info.ssi_signo));
}

}  // namespace sftpfs::app
