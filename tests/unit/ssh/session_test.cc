// Promises of ssh/libssh2_session.h that need no server, and of its queue (ssh/byte_queue.h).
#include "ssh/algorithms.h"
#include "ssh/libssh2_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <limits>

namespace sftpfs::ssh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Algorithms, ThePreferredComeFirstAndTheAvoidedNotAtAll) {
  EXPECT_THAT(order_algorithms(
                  {"chacha20-poly1305", "aes256-gcm", "aes256-ctr", "aes128-ctr", "aes128-cbc"},
                  {"aes128-ctr", "aes192-ctr", "aes256-ctr"}, {"cbc", "chacha20"}),
              ElementsAre("aes128-ctr", "aes256-ctr", "aes256-gcm"));
}

TEST(Algorithms, TheAvoidedAreTakenWhenThereIsNothingElse) {
  EXPECT_THAT(order_algorithms({"aes128-cbc", "3des-cbc"}, {"aes128-ctr"}, {"cbc"}),
              ElementsAre("aes128-cbc", "3des-cbc"));
}

TEST(ByteQueue, KeepsTheOrderThroughGrowthAndReuse) {
  ByteQueue queue;
  std::string expected;
  std::string got;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 37), static_cast<char>('a' + i % 26));
    queue.append(as_byte_span(piece));
    expected += piece;
    const std::size_t count = std::min<std::size_t>(queue.size(), static_cast<std::size_t>(i % 41));
    got.append(reinterpret_cast<const char*>(queue.front().data()), count);
    queue.consume(count);
  }
  got.append(reinterpret_cast<const char*>(queue.front().data()), queue.size());
  EXPECT_EQ(got, expected);
}

TEST(SessionMemory, FreesWhatTheLibraryForgets) {
  SessionMemory memory;
  void* first = memory.allocate(10);
  memory.allocate(20);
  void* third = memory.allocate(30);
  memory.release(first);
  memory.release(nullptr);
  EXPECT_EQ(memory.blocks(), 2U);
  memory.release(third);
  EXPECT_EQ(memory.blocks(), 1U);
  // The last one is the leak checker's to find, were it not freed with the object.
}

TEST(SessionMemory, KeepsTheContentsOfABlockThatGrows) {
  SessionMemory memory;
  memory.set_sensitive(true);
  void* block = memory.reallocate(nullptr, 4);
  std::memcpy(block, "abcd", 4);
  block = memory.reallocate(block, 100'000);
  EXPECT_EQ(std::memcmp(block, "abcd", 4), 0);
  EXPECT_EQ(memory.blocks(), 1U);
  EXPECT_EQ(memory.allocate(std::numeric_limits<std::size_t>::max()), nullptr);
}

class Sockets : public testing::Test {
 protected:
  Sockets() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    near_.reset(fds[0]);
    far_.reset(fds[1]);
  }
  UniqueFd near_;
  UniqueFd far_;
};

TEST_F(Sockets, AServerThatHangsUpIsNamed) {
  far_.reset();
  auto session = Libssh2Session::create(std::move(near_), "me@build1");
  ASSERT_TRUE(session);
  const Status met =
      (*session)->handshake({}, {}, false, Patience(std::chrono::seconds(10), nullptr));
  ASSERT_FALSE(met);
  EXPECT_TRUE(met.error().is(ErrorCode::kConnectionLost));
  EXPECT_THAT(met.error().message(), HasSubstr("me@build1"));
}

TEST_F(Sockets, AServerThatSaysNothingIsGivenUpInTime) {
  auto session = Libssh2Session::create(std::move(near_), "me@build1");
  ASSERT_TRUE(session);
  const Status met =
      (*session)->handshake({}, {}, false, Patience(std::chrono::milliseconds(20), nullptr));
  ASSERT_FALSE(met);
  EXPECT_TRUE(met.error().is(ErrorCode::kTimedOut));
}

TEST_F(Sockets, AServerThatSpeaksSomethingElseIsRefused) {
  const std::string noise = "HTTP/1.1 400 Bad Request\r\n\r\n" + std::string(10'000, '\xff');
  ASSERT_EQ(::write(far_.get(), noise.data(), noise.size()), static_cast<ssize_t>(noise.size()));
  ::shutdown(far_.get(), SHUT_WR);
  auto session = Libssh2Session::create(std::move(near_), "me@build1");
  ASSERT_TRUE(session);
  EXPECT_FALSE((*session)->handshake({}, {}, false, Patience(std::chrono::seconds(10), nullptr)));
}

}  // namespace
}  // namespace sftpfs::ssh
