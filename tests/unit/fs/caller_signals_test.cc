// Promises of fs/fuse/caller_signals.h.
#include "fs/fuse/caller_signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>

namespace sftpfs::fuse {
namespace {

std::string status(std::uint64_t own, std::uint64_t shared, std::uint64_t blocked = 0,
                   std::uint64_t caught = 0) {
  char text[300];
  std::snprintf(text, sizeof text,
                "Name:\tx\nSigQ:\t0/9\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n"
                "SigIgn:\t0000000000000000\nSigCgt:\t%016lx\n",
                own, shared, blocked, caught);
  return text;
}
std::uint64_t set_of(int signal) { return std::uint64_t{1} << (signal - 1); }

TEST(CallerSignals, OfAProgrammesOwnBusinessAreTold) {
  EXPECT_EQ(pending_in_status(status(0, 0)), PendingSignals::kNone);
  for (const int own : {SIGALRM, SIGUSR1, SIGUSR2, SIGCHLD, SIGURG, SIGIO, SIGPROF, SIGWINCH, 40}) {
    EXPECT_EQ(pending_in_status(status(set_of(own), 0)), PendingSignals::kOwnBusiness) << own;
    EXPECT_EQ(pending_in_status(status(0, set_of(own))), PendingSignals::kOwnBusiness) << own;
  }
}

TEST(CallerSignals, ThatEndAProgrammeCountAmongAnyOthers) {
  for (const int end : {SIGKILL, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGSTOP, 32}) {
    EXPECT_EQ(pending_in_status(status(set_of(end), set_of(SIGALRM))), PendingSignals::kEnd) << end;
    EXPECT_EQ(pending_in_status(status(set_of(SIGALRM), set_of(end))), PendingSignals::kEnd) << end;
  }
}

TEST(CallerSignals, ThatAskToEndAreToldFromThoseThatDo) {
  for (const int end : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    const std::uint64_t caught = set_of(end) | set_of(SIGALRM);
    EXPECT_EQ(pending_in_status(status(set_of(end), 0, 0, caught)), PendingSignals::kAsksToEnd);
    EXPECT_EQ(pending_in_status(status(0, caught, 0, caught)), PendingSignals::kAsksToEnd);
    EXPECT_EQ(pending_in_status(status(set_of(SIGKILL), caught, 0, caught)), PendingSignals::kEnd);
    EXPECT_EQ(pending_in_status(status(set_of(SIGUSR2), 0, 0, caught)),
              PendingSignals::kOwnBusiness);
  }
}

TEST(CallerSignals, ThatAreBlockedDoNotCount) {
  EXPECT_EQ(pending_in_status(status(set_of(SIGINT), 0, set_of(SIGINT))), PendingSignals::kNone);
  EXPECT_EQ(pending_in_status(status(set_of(SIGINT), set_of(SIGALRM), set_of(SIGINT))),
            PendingSignals::kOwnBusiness);
}

TEST(CallerSignals, OfNobodyEndTheWait) {
  EXPECT_EQ(pending_in_status(""), PendingSignals::kEnd);
  EXPECT_EQ(pending_signals(0), PendingSignals::kEnd);
  EXPECT_EQ(pending_signals(static_cast<std::uint32_t>(::getpid())), PendingSignals::kNone);
}

}  // namespace
}  // namespace sftpfs::fuse
