// Promises of ssh/process_stream.h and ssh/child.h with programmes that need no server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "integration/ssh/ssh_server.h"
#include "integration/ssh/stream_runner.h"
#include "ssh/process_stream.h"
#include "support/process_table.h"

namespace sftpfs::test {
namespace {

using ssh::ProcessStream;
using testing::HasSubstr;

std::unique_ptr<ProcessStream> spawn(const Arguments& argv) {
  auto stream = ProcessStream::spawn(argv, "me@test", "local");
  EXPECT_TRUE(stream) << why(stream);
  return stream ? std::move(*stream) : nullptr;
}

TEST(ChildStream, EchoesEveryByteInOrder) {
  const Conversation talk = echo(spawn({"cat"}), 64 << 20);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

TEST(ChildStream, RunsALocalSftpServer) {
  const Conversation talk = say_hello(spawn({"/usr/lib/openssh/sftp-server"}));
  EXPECT_TRUE(talk.complete) << talk.describe();
}

TEST(ChildStream, AMissingProgrammeIsNamed) {
  for (const char* name : {"no-such-programme-at-all", "/nonexistent/ssh"}) {
    const auto stream = ProcessStream::spawn({name}, "me@test", "local");
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().os_errno(), ENOENT);
    EXPECT_THAT(stream.error().describe(), HasSubstr(name));
  }
}

TEST(ChildStream, TheLastWordsOfTheChildAreTheError) {
  const Conversation talk = say_hello(
      spawn({"sh", "-c", "echo 'debug1: chatter' >&2; echo 'Host key verification failed.' >&2"}));
  ASSERT_TRUE(talk.error);
  EXPECT_TRUE(talk.error->is(ErrorCode::kHostKey));
  EXPECT_EQ(talk.error->message(), "me@test: Host key verification failed.");
}

TEST(ChildStream, AChildThatEndsWithoutAWordIsAnErrorToo) {
  const Conversation talk = say_hello(spawn({"false"}));
  ASSERT_TRUE(talk.error);
  EXPECT_THAT(talk.error->message(), HasSubstr("local ended"));
}

TEST(ChildStream, KeysPressedAtTheTerminalDoNotReachIt) {
  auto stream = spawn({"cat"});
  ASSERT_TRUE(stream);
  for (const int number : {SIGINT, SIGQUIT, SIGHUP, SIGTSTP}) ::kill(stream->pid(), number);
  const Conversation talk = echo(std::move(stream), 1000);
  EXPECT_TRUE(talk.complete) << talk.describe();
}

TEST(ChildStream, InheritsNoDescriptorOfOurs) {
  const int leaky = ::dup(STDERR_FILENO);
  const Conversation talk = say_hello(spawn({"sh", "-c", "ls /proc/self/fd | tr '\\n' ' ' >&2"}));
  ::close(leaky);
  ASSERT_TRUE(talk.error);
  // Its standard three, and the one with which ls reads the directory.
  EXPECT_EQ(talk.error->message(), "me@test: 0 1 2 3 ");
}

TEST(ChildStream, AStubbornChildIsKilledWhileNobodyWaits) {
  auto stream = spawn({"sh", "-c", "trap '' TERM; exec sleep 1000"});
  ASSERT_TRUE(stream);
  const UniqueFd child = open_pidfd(stream->pid());
  const auto before = std::chrono::steady_clock::now();
  stream.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
  EXPECT_TRUE(wait_exit(child.get(), Deadline(std::chrono::seconds(20))));
}

TEST(ChildStream, LeavesNoZombie) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(echo(spawn({"cat"}), 1000).complete);
  const Deadline deadline{std::chrono::seconds(20)};
  while (!descendants(::getpid()).empty() && !deadline.passed()) {
    ::poll(nullptr, 0, deadline.slice_ms(5));
  }
  EXPECT_EQ(describe_processes(descendants(::getpid())), "");
}

TEST(ChildStream, DoesNotOutliveAKilledOwner) {
  const std::string pid = run_in_child([] {
    // Never destroyed: the owner is killed in the middle of its work.
    const std::unique_ptr<ProcessStream> stream = spawn({"sleep", "1000"});
    const std::string text = std::to_string(stream->pid());
    return text;
  });
  const UniqueFd child = open_pidfd(std::stoi(pid));
  EXPECT_TRUE(!child || wait_exit(child.get(), Deadline(std::chrono::seconds(20))));
}

}  // namespace
}  // namespace sftpfs::test
