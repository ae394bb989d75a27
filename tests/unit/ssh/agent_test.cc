// Promises of ssh/agent.h, against an agent whose answers are written down before they are asked
// for: the socket keeps them.
#include "ssh/agent.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "ssh/wire.h"

namespace sftpfs::ssh {
namespace {

class AgentTest : public testing::Test {
 protected:
  AgentTest() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    agent_.emplace(UniqueFd(fds[0]));
    far_end_.reset(fds[1]);
  }

  void will_send(const std::string& bytes) {
    ASSERT_EQ(::write(far_end_.get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  void will_answer(const std::string& message) { will_send(WireWriter().str(message).take()); }
  std::string received() {
    std::array<char, 65536> bytes{};
    const ssize_t got = ::read(far_end_.get(), bytes.data(), bytes.size());
    return {bytes.data(), got < 0 ? 0 : static_cast<std::size_t>(got)};
  }

  std::optional<Agent> agent_;
  UniqueFd far_end_;
  Patience patience_{std::chrono::seconds(30), nullptr};
};

TEST_F(AgentTest, ListsTheKeys) {
  will_answer(WireWriter().u8(12).u32(2).str("blob1").str("me@home").str("blob2").str("").take());
  const Result<std::vector<AgentKey>> keys = agent_->list(patience_);
  ASSERT_TRUE(keys) << keys.error().describe();
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ((*keys)[0].blob, "blob1");
  EXPECT_EQ((*keys)[0].comment, "me@home");
  EXPECT_EQ((*keys)[1].blob, "blob2");
  EXPECT_EQ(received(), WireWriter().str("\x0b").take());
}

TEST_F(AgentTest, AsksForTheHashThatTheAlgorithmNames) {
  struct Case {
    const char* algorithm;
    std::uint32_t flags;
  };
  for (const Case& one : {Case{"rsa-sha2-512", 4}, Case{"rsa-sha2-256", 2}, Case{"ssh-rsa", 0},
                          Case{"ssh-ed25519", 0}}) {
    const std::string signature = WireWriter().str(one.algorithm).str("raw").take();
    will_answer(WireWriter().u8(14).str(signature).take());
    const Result<std::string> signed_data = agent_->sign("blob", one.algorithm, "data", patience_);
    ASSERT_TRUE(signed_data) << signed_data.error().describe();
    EXPECT_EQ(*signed_data, "raw");
    EXPECT_EQ(
        received(),
        WireWriter().str(WireWriter().u8(13).str("blob").str("data").u32(one.flags).take()).take());
  }
}

TEST_F(AgentTest, ASignatureOfAnotherKindIsRefused) {
  will_answer(WireWriter().u8(14).str(WireWriter().str("ssh-rsa").str("raw").take()).take());
  const Result<std::string> made = agent_->sign("blob", "rsa-sha2-512", "data", patience_);
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error().is(ErrorCode::kAuthentication));
}

TEST_F(AgentTest, ARefusalIsNoCatastrophe) {
  will_answer("\x05");
  const Result<std::string> made = agent_->sign("blob", "ssh-ed25519", "data", patience_);
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error().is(ErrorCode::kAuthentication));
}

TEST_F(AgentTest, RefusesWhatNoAgentWouldSend) {
  const std::string many = WireWriter().u8(12).u32(1'000'000).take();
  const std::string lying = WireWriter().u8(12).u32(3).str("blob").take();
  for (const std::string& bytes :
       {WireWriter().u32(0).take(), WireWriter().u32(0xffffffff).take(),
        WireWriter().str(many).take(), WireWriter().str(lying).take(),
        WireWriter().str("\x0c").take(), WireWriter().str("\x05").take()}) {
    will_send(bytes);
    const Result<std::vector<AgentKey>> keys = agent_->list(patience_);
    ASSERT_FALSE(keys);
    EXPECT_TRUE(keys.error().is(ErrorCode::kProtocol)) << keys.error().describe();
  }
}

TEST_F(AgentTest, AnAgentThatDiesMidReplyEndsTheWait) {
  will_send(WireWriter().u32(100).take() + "half");
  far_end_.reset();
  EXPECT_FALSE(agent_->list(patience_));
}

TEST_F(AgentTest, ASilentAgentIsWaitedForOnlySoLong) {
  const Patience short_patience(std::chrono::milliseconds(20), nullptr);
  const Result<std::vector<AgentKey>> keys = agent_->list(short_patience);
  ASSERT_FALSE(keys);
  EXPECT_TRUE(keys.error().is(ErrorCode::kTimedOut));
}

TEST_F(AgentTest, AnInterruptEndsTheWait) {
  Interrupt interrupt;
  const Patience patience(std::chrono::hours(1), &interrupt);
  std::thread other([&interrupt] { interrupt.raise(); });
  const Result<std::vector<AgentKey>> keys = agent_->list(patience);
  other.join();
  ASSERT_FALSE(keys);
  EXPECT_TRUE(keys.error().is(ErrorCode::kCancelled));
}

TEST(Agent, AMissingSocketIsNamed) {
  const Result<Agent> agent = Agent::open("/nonexistent/agent");
  ASSERT_FALSE(agent);
  EXPECT_NE(agent.error().describe().find("/nonexistent/agent"), std::string::npos);
  EXPECT_FALSE(Agent::open(std::string(500, 'x')));
}

}  // namespace
}  // namespace sftpfs::ssh
