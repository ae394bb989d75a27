// See child_errors.h.
#include "ssh/child_errors.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/log.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kTailBytesMax = 4096;

// What ssh says about itself rather than about the fault.
bool is_chatter(std::string_view line) {
  return line.empty() || line.starts_with("debug") || line.starts_with("@@@") ||
         line.starts_with("Warning: ");
}

}  // namespace

void ChildErrors::attach(runtime::Loop& loop) {
  watch_.emplace(loop, pipe_.get(), *this);
  // Unwatched, the lines are still read when the stream ends.
  if (const Status watched = watch_->want(EPOLLIN); !watched) watch_.reset();
}

void ChildErrors::on_io(std::uint32_t /*events*/) { drain(); }

void ChildErrors::drain() {
  std::array<char, 4096> chunk{};
  while (true) {
    const ssize_t got = ::read(pipe_.get(), chunk.data(), chunk.size());
    if (got > 0) {
      take({chunk.data(), static_cast<std::size_t>(got)});
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    // At the end there is nothing left to be told; EAGAIN means that more may come.
    if (got == 0) watch_.reset();
    return;
  }
}

void ChildErrors::take(std::string_view text) {
  for (const char c : text) {
    if (c == '\r') continue;
    if (c != '\n' && line_.size() < kTailBytesMax) {
      line_.push_back(c);
      continue;
    }
    end_line();
  }
}

void ChildErrors::end_line() {
  if (!line_watch_ || !line_watch_(line_, pipe_.get())) {
    log_debug("{}: {}", peer_, line_);
    if (!is_chatter(line_)) tail_ += line_ + "\n";
    if (tail_.size() > kTailBytesMax) tail_.erase(0, tail_.size() - kTailBytesMax);
  }
  line_.clear();
}

std::string ChildErrors::tail() const { return is_chatter(line_) ? tail_ : tail_ + line_; }

}  // namespace sftpfs::ssh
