// See caller_signals.h.
#include "fs/fuse/caller_signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <string>

#include "base/unique_fd.h"

namespace sftpfs::fuse {
namespace {

// glibc cancels a thread with 32; 33 and above are used by programmes and for setuid(2).
constexpr int kFirstOrdinaryRealTime = 33;
constexpr int kLastSignal = 64;

constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

constexpr std::uint64_t own_business() {
  std::uint64_t signals = 0;
  for (const int signal :
       {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGCHLD, SIGIO, SIGURG, SIGWINCH, SIGPIPE}) {
    signals |= bit(signal);
  }
  for (int signal = kFirstOrdinaryRealTime; signal <= kLastSignal; ++signal) signals |= bit(signal);
  return signals;
}

// The set behind "\nSigPnd:\t"; empty where there is none.
std::uint64_t signal_set(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return 0;
  const std::string_view digits = status.substr(at + name.size(), 16);
  std::uint64_t signals = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), signals, 16);
  return signals;
}

std::string status_of(std::uint32_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/status";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text{};
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

PendingSignals pending_in_status(std::string_view status) {
  if (status.empty()) return PendingSignals::kEnd;
  const std::uint64_t pending =
      (signal_set(status, "\nSigPnd:\t") | signal_set(status, "\nShdPnd:\t")) &
      ~signal_set(status, "\nSigBlk:\t");
  if (pending == 0) return PendingSignals::kNone;
  const std::uint64_t ending = pending & ~own_business();
  if (ending == 0) return PendingSignals::kOwnBusiness;
  // One that is not caught ends the process, and then SIGKILL is pending as well.
  const bool caught = (ending & ~signal_set(status, "\nSigCgt:\t")) == 0;
  return caught ? PendingSignals::kAsksToEnd : PendingSignals::kEnd;
}

PendingSignals pending_signals(std::uint32_t pid) { return pending_in_status(status_of(pid)); }

}  // namespace sftpfs::fuse
