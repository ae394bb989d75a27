// Promises to programmes with timers: a signal that they catch ends no call of a server that is
// well, as on a disk; and one that asks them to end still ends a wait for a server that is not.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string>

#include "base/unique_fd.h"
#include "support/relay.h"
#include "torture/scene.h"

namespace sftpfs::test {
namespace {

void catch_signal(int number) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(number, &action, nullptr);
}

// SIGINT and SIGTERM ask programmes to end: databases catch them and go on for a while.
void be_asked_to_end_every_millisecond() {
  for (const int signal : {SIGINT, SIGTERM}) {
    catch_signal(signal);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    timer_t timer{};
    itimerspec often{};
    often.it_interval.tv_nsec = often.it_value.tv_nsec = 1'000'000;
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) ::_exit(1);
    ::timer_settime(timer, 0, &often, nullptr);
  }
}

void tick_every_millisecond() {
  catch_signal(SIGALRM);
  itimerval timer{};
  timer.it_interval.tv_usec = 1000;
  timer.it_value.tv_usec = 1000;
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

std::string what_fails(const std::string& path) {
  const std::string text(100'000, 't');
  std::string bytes(text.size(), '\0');
  for (int i = 0; i < 10; ++i) {
    struct stat attributes {};
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd) return "open: " + std::string(std::strerror(errno));
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return "write: " + std::string(std::strerror(errno));
    }
    if (::fsync(fd.get()) != 0) return "fsync: " + std::string(std::strerror(errno));
    if (::fdatasync(fd.get()) != 0) return "fdatasync: " + std::string(std::strerror(errno));
    if (::pread(fd.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      return "read: " + std::string(std::strerror(errno));
    }
    if (::ftruncate(fd.get(), 0) != 0) return "ftruncate: " + std::string(std::strerror(errno));
    if (::close(fd.release()) != 0) return "close: " + std::string(std::strerror(errno));
    if (::rename(path.c_str(), (path + "x").c_str()) != 0) return "rename";
    if (::stat((path + "x").c_str(), &attributes) != 0) return "stat";
    if (::unlink((path + "x").c_str()) != 0) return "unlink";
  }
  return "";
}

class TortureByTimers : public testing::Test {
 protected:
  static RelayOptions some_way() {
    RelayOptions options;
    options.delay_to_server = std::chrono::milliseconds(3);
    options.delay_to_client = std::chrono::milliseconds(3);
    return options;
  }
  static MountOptions through(const Relay& relay) {
    MountOptions options;
    options.port = relay.port();
    return options;
  }

  TestServer server_;
  Relay relay_{server_.port(), some_way()};
  TestMount mount_{server_, through(relay_)};
};

TEST_F(TortureByTimers, ASignalOfOnesOwnEndsNoCall) {
  const std::string path = mount_.file("f");
  const auto work = [&]() -> std::string {
    tick_every_millisecond();
    return what_fails(path);
  };
  EXPECT_EQ(run_in_child(work), "");
}

TEST_F(TortureByTimers, ACaughtSignalThatAsksToEndEndsNoCallOfAServerThatIsWell) {
  const std::string path = mount_.file("f");
  const auto work = [&]() -> std::string {
    be_asked_to_end_every_millisecond();
    return what_fails(path);
  };
  EXPECT_EQ(run_in_child(work), "");
}

TEST_F(TortureByTimers, ASignalOfOnesOwnDoesNotHideOneThatEnds) {
  const std::string path = mount_.file("f");
  const auto work = [&]() -> std::string {
    tick_every_millisecond();
    catch_signal(SIGTERM);
    server_.stop();
    const pid_t self = ::getpid();
    const pid_t killer = ::fork();
    if (killer == 0) {
      // Long after the first tick.
      ::usleep(500'000);
      ::kill(self, SIGTERM);
      ::_exit(0);
    }
    struct stat attributes {};
    const bool interrupted = ::stat(path.c_str(), &attributes) != 0 && errno == EINTR;
    return interrupted ? "" : "not interrupted";
  };
  EXPECT_EQ(run_in_child(work), "");
  server_.resume();
}

}  // namespace
}  // namespace sftpfs::test
