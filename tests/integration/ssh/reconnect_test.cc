// A session that is lost and made again very often leaves nothing behind: no descriptor, no thread,
// no process and no memory. SFTPFS_RECONNECTS=1000 does more of it than the time of a test allows.
#include <gtest/gtest.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "integration/ssh/ssh_server.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"
#include "sftp/session.h"
#include "ssh/process_stream.h"
#include "ssh/threaded_connector.h"
#include "support/deadline.h"

namespace sftpfs::test {
namespace {

using runtime::Cancel;
using runtime::CancelReason;
using StreamResult = Result<std::unique_ptr<runtime::ByteStream>>;

constexpr const char* kSftpServer = "/usr/lib/openssh/sftp-server";
constexpr std::chrono::minutes kPatience{4};
// Caches of libraries may still fill up; what leaks once for each connection is far more.
constexpr std::size_t kHeapBytesPerRoundMax = 256;
// The thread sanitizer starts one of its own when it likes.
constexpr std::size_t kForeignThreadsMax = 1;

int rounds_or(int usual) {
  const char* wanted = std::getenv("SFTPFS_RECONNECTS");
  return wanted == nullptr ? usual : std::atoi(wanted);
}

std::size_t entries_of(const char* directory) {
  const std::filesystem::directory_iterator all(directory);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct Belongings {
  std::size_t fds = 0;
  std::size_t threads = 0;
  std::size_t heap_bytes = 0;

  static Belongings now() {
    return {entries_of("/proc/self/fd"), entries_of("/proc/self/task"), ::mallinfo2().uordblks};
  }
};

// What ends by itself (threads that wait for a process to end) is given the time for it.
void expect_nothing_left(Belongings before, int rounds, runtime::Loop& loop) {
  before.threads += kForeignThreadsMax;
  const Deadline deadline(std::chrono::seconds(20));
  Belongings after = Belongings::now();
  while ((after.threads > before.threads || after.fds > before.fds) && !deadline.passed()) {
    loop.run_ready();  // attempts given up last are still being told to it
    std::this_thread::yield();
    after = Belongings::now();
  }
  EXPECT_LE(after.fds, before.fds);
  EXPECT_LE(after.threads, before.threads);
  EXPECT_LE(after.heap_bytes,
            before.heap_bytes + kHeapBytesPerRoundMax * static_cast<std::size_t>(rounds));
}

// A local sftp-server for each connection.
class LocalConnector final : public runtime::Connector {
 public:
  runtime::Task<StreamResult> connect(Cancel* /*cancel*/) override {
    Result<std::unique_ptr<ssh::ProcessStream>> stream =
        ssh::ProcessStream::spawn({kSftpServer}, "local", "sftp-server");
    if (!stream) co_return fail(stream.error());
    server_pid = (*stream)->pid();
    co_return StreamResult(std::move(*stream));
  }
  bool can_clone() const override { return true; }
  pid_t server_pid = -1;
};

class Reconnect : public testing::Test {
 protected:
  Reconnect() {
    options_.stable_after = Duration::zero();
    options_.backoff_first = std::chrono::milliseconds(1);
    options_.backoff_longest = std::chrono::milliseconds(20);
    options_.label = "reconnecting";
  }

  // Connects `rounds` times, each time asks something, and has `cut` end it.
  static runtime::Task<void> go_through(Reconnect& self, int rounds) {
    for (int i = 0; i < rounds; ++i) {
      auto client = co_await self.session_->ready(nullptr);
      if (!client) co_return;
      const std::shared_ptr<sftp::Client> current = *client;
      auto attrs = co_await current->lstat("/");
      EXPECT_TRUE(attrs) << why(attrs);
      // Half of them are lost with a request under way.
      sftp::Call<sftp::Attrs> pending = current->lstat("/");
      if (i % 2 == 0) pending.forget();
      self.cut_();
      runtime::WaitList lost;
      self.on_lost_ = &lost;
      if (current->alive()) co_await lost.wait();
      self.on_lost_ = nullptr;
      ++self.done_;
    }
  }
  static runtime::Task<void> run(Reconnect& self, int rounds) {
    co_await go_through(self, 10);  // what is made once and kept
    self.before_ = Belongings::now();
    co_await go_through(self, rounds);
    self.session_->close();
    self.loop_.stop();
  }

  void expect_no_leak(std::shared_ptr<runtime::Connector> connector, int rounds) {
    session_ = sftp::Session::create(loop_, std::move(connector), options_);
    session_->on_state_change([this](sftp::SessionState state) {
      if (state != sftp::SessionState::kReady && on_lost_ != nullptr) on_lost_->notify_all();
    });
    loop_.post([this, rounds] { runtime::spawn(run(*this, rounds)); });
    {
      runtime::Timer watchdog(loop_);
      watchdog.start_after(kPatience, [this] { loop_.stop(); });
      loop_.run();
    }
    EXPECT_EQ(done_, rounds + 10);
    expect_nothing_left(before_, rounds, loop_);
  }

  SteadyClock clock_;
  runtime::Loop loop_{clock_};
  sftp::SessionOptions options_;
  std::shared_ptr<sftp::Session> session_;
  std::function<void()> cut_;
  runtime::WaitList* on_lost_ = nullptr;
  Belongings before_;
  int done_ = 0;
};

TEST_F(Reconnect, AThousandTimesToALocalServerLeavesNothingBehind) {
  const auto connector = std::make_shared<LocalConnector>();
  cut_ = [&connector] { ::kill(connector->server_pid, SIGKILL); };
  expect_no_leak(connector, rounds_or(1000));
}

class ReconnectOver : public Reconnect, public testing::WithParamInterface<ssh::Transport> {};
INSTANTIATE_TEST_SUITE_P(Transports, ReconnectOver,
                         testing::Values(ssh::Transport::kLibssh2, ssh::Transport::kSsh),
                         transport_name);

TEST_P(ReconnectOver, SshLeavesNothingBehind) {
  TestServer server;
  cut_ = [&server] { server.kill_sessions(); };
  const auto login = std::make_shared<ssh::Login>();
  expect_no_leak(std::make_shared<ssh::ThreadedConnector>(
                     options_for(server, GetParam(), server.user_key()), login),
                 rounds_or(40));
}

// --- Attempts that are given up -----------------------------------------------------------------

// Takes connections and never says a word.
struct SilentServer {
  SilentServer() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket.get(), SOMAXCONN), 0);
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
  UniqueFd socket;
  std::uint16_t port = 0;
};

runtime::Task<void> give_up_often(runtime::Connector& connector, int rounds, int& given_up) {
  for (int i = 0; i < rounds; ++i) {
    const auto cancel = Cancel::create();
    runtime::Timer soon(*runtime::Loop::current());
    soon.start_after(std::chrono::milliseconds(i % 3),
                     [cancel] { cancel->cancel(CancelReason::kTimedOut); });
    StreamResult result = co_await connector.connect(cancel.get());
    EXPECT_FALSE(result);
    ++given_up;
  }
}

runtime::Task<void> give_up(runtime::Connector& connector, int rounds, Belongings& before,
                            int& given_up, runtime::Loop& loop) {
  co_await give_up_often(connector, 10, given_up);
  before = Belongings::now();
  co_await give_up_often(connector, rounds, given_up);
  loop.stop();
}

TEST(ReconnectAttempts, AThousandGivenUpLeaveNothingBehind) {
  const SilentServer server;
  ssh::Options options;
  options.host = "127.0.0.1";
  options.port = server.port;
  options.user = "nobody";
  SteadyClock clock;
  runtime::Loop loop(clock);
  ssh::ThreadedConnector connector(options, std::make_shared<ssh::Login>());
  Belongings before;
  int given_up = 0;
  const int rounds = rounds_or(1000);
  loop.post([&] { runtime::spawn(give_up(connector, rounds, before, given_up, loop)); });
  loop.run();
  EXPECT_EQ(given_up, rounds + 10);
  expect_nothing_left(before, rounds, loop);
}

}  // namespace
}  // namespace sftpfs::test
