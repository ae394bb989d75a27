// See umount_helper.h.
#include "ctl/umount_helper.h"

#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/mount_namespace.h"
#include "base/printable.h"
#include "base/unique_fd.h"
#include "ctl/client.h"
#include "ctl/mount_table.h"
#include "ctl/render.h"

namespace sftpfs::ctl {
namespace {

using std::chrono::steady_clock;

constexpr int kUsage = 1;
constexpr int kFailure = 32;

struct Wish {
  std::string directory;
  std::string mount_namespace;  // empty: our own
  bool lazy = false;
  bool force = false;
  bool verbose = false;
};

void say(const std::string& text) { fmt::print(stderr, "umount.sftpfs: {}\n", text); }

// SPEC or DIR first, then flags, as umount(8) calls its helpers: [-n] [-l] [-f] [-v] [-r]
// [-t TYPE] [-N NAMESPACE]
std::optional<Wish> understand(std::span<const char* const> arguments) {
  Wish wish;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (!word.starts_with('-') || word == "-") {
      if (!wish.directory.empty()) return std::nullopt;
      wish.directory = word;
      continue;
    }
    for (const char letter : word.substr(1)) {
      switch (letter) {
        case 'l': wish.lazy = true; break;
        case 'f': wish.force = true; break;
        case 'v': wish.verbose = true; break;
        case 'n':
        case 'r':
        case 'i': break;
        case 't': ++i; break;
        case 'N':
          if (++i < arguments.size()) wish.mount_namespace = arguments[i];
          break;
        default: return std::nullopt;
      }
    }
  }
  if (wish.directory.empty()) return std::nullopt;
  return wish;
}

// One line that is written over while data are on their way, on a terminal; silent elsewhere.
class NewsLine {
 public:
  NewsLine(const Wish& wish, std::chrono::duration<double> patience)
      : wish_(wish),
        patience_(patience),
        terminal_(::isatty(STDERR_FILENO) == 1),
        begun_(steady_clock::now()) {}
  ~NewsLine() {
    if (shown_ && terminal_) fmt::print(stderr, "\n");
  }
  NewsLine(const NewsLine&) = delete;
  NewsLine& operator=(const NewsLine&) = delete;

  // False when the time is over.
  bool show(const nlohmann::json& news) {
    left_ = backlog_of(news);
    if (left_.any() && (terminal_ || wish_.verbose)) {
      fmt::print(stderr, "{}{}: {} to go{}", terminal_ ? "\r" : "", printable(wish_.directory),
                 backlog_text(left_), terminal_ ? "   " : "\n");
      std::fflush(stderr);
      shown_ = true;
    }
    return !left_.any() || steady_clock::now() - begun_ < patience_;
  }
  const Backlog& left() const { return left_; }

 private:
  const Wish& wish_;
  const std::chrono::duration<double> patience_;
  const bool terminal_;
  const steady_clock::time_point begun_;
  Backlog left_;
  bool shown_ = false;
};

// The usual values where the daemon does not answer.
Report report_of(const std::string& socket) {
  const Result<nlohmann::json> report = ask_once(socket, "report");
  const Result<Report> status = report ? read_as<Report>(*report) : fail(report.error());
  return status.value_or(Report{});
}

// Whether all that was written is on the server, as far as can be told.
bool drained(const Wish& wish, const std::string& socket) {
  Result<Client> client = Client::connect(socket);
  if (!client) return true;  // the daemon has died: there is nobody to wait for
  const Report before = report_of(socket);
  NewsLine news(wish, std::chrono::duration<double>(before.umount_timeout_s));
  const Result<nlohmann::json> flushed = client->ask(
      {{"command", "flush"}}, [&news](const nlohmann::json& value) { return news.show(value); });
  if (flushed || !news.left().any()) return true;
  const std::string why = printable(report_of(socket).message);
  say(fmt::format(
      "{}: {} are not on the server yet{}{}; it stays mounted (umount -f gives them up)",
      printable(wish.directory), backlog_text(news.left()), why.empty() ? "" : ": ", why));
  return false;
}

bool run_fusermount(const Wish& wish) {
  std::string directory = wish.directory;
  std::vector<std::string> words = {"fusermount3", "-u"};
  if (wish.lazy) words.emplace_back("-z");
  words.emplace_back("--");
  words.push_back(directory);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int failure =
      ::posix_spawnp(&child, "fusermount3", nullptr, nullptr, arguments.data(), environ);
  if (failure != 0) {
    say(fmt::format("fusermount3: {}", std::strerror(failure)));
    return false;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return status == 0;
}

bool unmount(const Wish& wish) {
  if (::geteuid() != 0) return run_fusermount(wish);
  int flags = UMOUNT_NOFOLLOW;
  if (wish.lazy) flags |= MNT_DETACH;
  if (wish.force) flags |= MNT_FORCE;
  if (::umount2(wish.directory.c_str(), flags) == 0) return true;
  const bool busy = errno == EBUSY;
  say(fmt::format("{}: {}{}", printable(wish.directory), std::strerror(errno),
                  busy ? "; fuser -vm names who uses it, umount -l detaches it all the same" : ""));
  return false;
}

void wait_for_end(const Wish& wish, const UniqueFd& daemon) {
  if (!daemon) return;
  constexpr std::chrono::milliseconds kPatience{30'000};
  pollfd end{daemon.get(), POLLIN, 0};
  const int ended = ::poll(&end, 1, static_cast<int>(kPatience.count()));
  if (ended == 0) say(printable(wish.directory) + ": unmounted; its daemon is still ending");
}

}  // namespace

bool called_as_umount_helper(std::string_view argv0) {
  return argv0.substr(argv0.rfind('/') + 1).starts_with("umount.");
}

int umount_run(std::span<const char* const> arguments) {
  std::optional<Wish> wish = understand(arguments);
  if (!wish) {
    say("usage: umount.sftpfs DIR [-lfnvr] [-t TYPE] [-N NAMESPACE]");
    return kUsage;
  }
  const Status entered =
      wish->mount_namespace.empty() ? Status() : enter_mount_namespace(wish->mount_namespace);
  if (!entered) {
    say(entered.error().describe());
    return kFailure;
  }
  wish->directory = absolute_path(wish->directory);
  const Result<std::string> socket = socket_for(wish->directory);
  UniqueFd daemon;
  if (socket) {
    if (!wish->lazy && !wish->force && !drained(*wish, *socket)) return kFailure;
    const Result<Client> client = Client::connect(*socket);
    if (client && !wish->lazy) {
      daemon.reset(static_cast<int>(::syscall(SYS_pidfd_open, client->server_pid(), 0)));
    }
  } else if (wish->verbose) {
    say(socket.error().describe());
  }
  if (!unmount(*wish)) return kFailure;
  wait_for_end(*wish, daemon);
  if (wish->verbose) say(printable(wish->directory) + ": unmounted");
  return 0;
}

}  // namespace sftpfs::ctl
