// Relay: delays without limiting the window, and cuts exactly where it was told to.
#include "support/relay.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <future>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "support/deadline.h"
#include "support/net.h"

namespace sftpfs::test {
namespace {

using std::chrono::milliseconds;
constexpr std::chrono::seconds kSoon{10};

// Both ends of one relayed connection.
struct Ends {
  explicit Ends(const RelayOptions& options = {})
      : listener(listen_on_loopback(0)), relay(local_port(listener.get()), options) {
    open();
  }
  void open() {
    client = connect_to_loopback(relay.port());
    pollfd readable{listener.get(), POLLIN, 0};
    ::poll(&readable, 1, Deadline(kSoon).remaining_ms());
    server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  UniqueFd listener;
  Relay relay;
  UniqueFd client;
  UniqueFd server;
};

void send_all(int socket, std::size_t size) {
  const std::string bytes(size, 'x');
  std::size_t sent = 0;
  while (sent < size) {
    const ssize_t count = ::send(socket, bytes.data() + sent, size - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

// Bytes until the end of the stream, `enough` of them, or the deadline; -1 if it was reset.
long receive(int socket, long enough, const Deadline& deadline) {
  long total = 0;
  std::array<char, 65536> chunk;
  while (total < enough) {
    pollfd readable{socket, POLLIN, 0};
    if (::poll(&readable, 1, deadline.remaining_ms()) <= 0) return total;
    const ssize_t count = ::recv(socket, chunk.data(), chunk.size(), 0);
    if (count < 0) return -1;
    if (count == 0) return total;
    total += count;
  }
  return total;
}

milliseconds since(Deadline::Clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - start);
}

TEST(Relay, DelaysEachDirectionByItsOwnAmount) {
  RelayOptions options;
  options.delay_to_server = milliseconds(30);
  options.delay_to_client = milliseconds(60);
  Ends ends(options);
  auto start = Deadline::Clock::now();
  send_all(ends.client.get(), 1);
  ASSERT_EQ(receive(ends.server.get(), 1, Deadline(kSoon)), 1);
  EXPECT_GE(since(start).count(), 29);
  start = Deadline::Clock::now();
  send_all(ends.server.get(), 1);
  ASSERT_EQ(receive(ends.client.get(), 1, Deadline(kSoon)), 1);
  EXPECT_GE(since(start).count(), 59);
}

TEST(Relay, DoesNotLimitTheWindow) {
  // 32 MiB are under way at once: sent before the first of them can have arrived.
  constexpr std::size_t kBytes = 32U << 20;
  RelayOptions options;
  options.delay_to_server = milliseconds(1500);
  Ends ends(options);
  const auto start = Deadline::Clock::now();
  send_all(ends.client.get(), kBytes);
  EXPECT_LT(since(start).count(), 1500);
  EXPECT_EQ(receive(ends.server.get(), kBytes, Deadline(kSoon)), static_cast<long>(kBytes));
  EXPECT_GE(ends.relay.stats().peak_queued_bytes, kBytes / 2);
}

TEST(Relay, LimitsTheBandwidth) {
  RelayOptions options;
  options.bytes_per_second = 10'000'000;
  Ends ends(options);
  const auto start = Deadline::Clock::now();
  std::thread sender([&] { send_all(ends.client.get(), 2'000'000); });
  EXPECT_EQ(receive(ends.server.get(), 2'000'000, Deadline(kSoon)), 2'000'000);
  sender.join();
  EXPECT_GE(since(start).count(), 190);
}

TEST(Relay, PassesTheEndOfAStreamOn) {
  Ends ends;
  send_all(ends.client.get(), 10);
  ::shutdown(ends.client.get(), SHUT_WR);
  EXPECT_EQ(receive(ends.server.get(), 1000, Deadline(kSoon)), 10);
  send_all(ends.server.get(), 5);
  EXPECT_EQ(receive(ends.client.get(), 5, Deadline(kSoon)), 5);
}

TEST(Relay, CutsAfterExactlyTheByteItWasTold) {
  Ends ends;
  ends.relay.cut_at(Direction::kToServer, 100'000, CutMode::kClose);
  std::thread sender([&] { send_all(ends.client.get(), 1'000'000); });
  EXPECT_EQ(receive(ends.server.get(), 1'000'000, Deadline(kSoon)), 100'000);
  sender.join();
  EXPECT_TRUE(ends.relay.cut_done());
  EXPECT_EQ(ends.relay.stats().bytes_to_server, 100'000U);
}

TEST(Relay, ResetsBothSides) {
  Ends ends;
  ends.relay.cut(CutMode::kReset);
  EXPECT_EQ(receive(ends.client.get(), 1, Deadline(kSoon)), -1);
  EXPECT_EQ(receive(ends.server.get(), 1, Deadline(kSoon)), -1);
}

TEST(Relay, BlackHoleIsSilentAndHealsWithoutLoss) {
  Ends ends;
  ends.relay.cut(CutMode::kBlackHole);
  send_all(ends.client.get(), 1000);
  EXPECT_EQ(receive(ends.server.get(), 1, Deadline(milliseconds(50))), 0);
  ends.relay.heal();
  EXPECT_EQ(receive(ends.server.get(), 1000, Deadline(kSoon)), 1000);
}

TEST(Relay, RefusesNewConnectionsUntilHealed) {
  Ends ends;
  ends.relay.refuse();
  const UniqueFd refused = connect_to_loopback(ends.relay.port());
  EXPECT_EQ(receive(refused.get(), 1, Deadline(kSoon)), -1);
  ends.relay.heal();
  ends.open();
  send_all(ends.client.get(), 3);
  EXPECT_EQ(receive(ends.server.get(), 3, Deadline(kSoon)), 3);
}

}  // namespace
}  // namespace sftpfs::test
