// What ssh(1) says becomes one line with the thing, the cause and the cure.
#include "ssh/ssh_complaint.h"

#include <gtest/gtest.h>

#include <string>

namespace sftpfs::ssh {
namespace {

std::string changed(const std::string& place) {
  return "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
         "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n"
         "The fingerprint for the ED25519 key sent by the remote host is\n"
         "SHA256:2Vlg6ljcFD/ZtipCroo0hzuWjPfSSdATRiYvfjSORJc.\n"
         "Please contact your system administrator.\n"
         "Offending ED25519 key in " +
         place +
         "\n"
         "  remove with:\n"
         "Host key for [127.0.0.1]:2222 has changed and you have requested strict checking.\n"
         "Host key verification failed.\n";
}

TEST(SshComplaint, AChangedKeyIsOneLineWithItsFingerprintAndTheCure) {
  const Error error = ssh_complaint("me@build1", changed("/home/me/.ssh/known_hosts:12"), "");
  EXPECT_TRUE(error.is(ErrorCode::kHostKey));
  EXPECT_EQ(
      error.message(),
      "me@build1: host key changed: /home/me/.ssh/known_hosts:12 has another, the server shows "
      "ED25519 SHA256:2Vlg6ljcFD/ZtipCroo0hzuWjPfSSdATRiYvfjSORJc; somebody may be listening "
      "in; if you trust the new key, remove that line");
}

TEST(SshComplaint, AKeyThatThisMountHasPinnedIsCuredByMountingAgain) {
  const Error error = ssh_complaint("me@build1", changed("KnownHostsCommand-HOSTNAME:1"), "");
  EXPECT_TRUE(error.is(ErrorCode::kHostKey));
  EXPECT_TRUE(error.message().ends_with("unmount and mount again if you trust it"));
}

TEST(SshComplaint, AKeyThatIsNotKnownIsAMatterOfTheHostKey) {
  const Error error = ssh_complaint("h",
                                    "No ED25519 host key is known for h and you have requested "
                                    "strict checking.\nHost key verification failed.\n",
                                    "");
  EXPECT_TRUE(error.is(ErrorCode::kHostKey));
  EXPECT_EQ(error.message(),
            "h: host key of h is not known (ED25519); connect once with ssh and compare the "
            "fingerprint, or use -o StrictHostKeyChecking=accept-new");
}

TEST(SshComplaint, ARefusedKeyIsAMatterOfAuthentication) {
  const Error error = ssh_complaint("me@h", "me@h: Permission denied (publickey).\n", "");
  EXPECT_TRUE(error.is(ErrorCode::kAuthentication));
  EXPECT_EQ(error.message(), "me@h: Permission denied (publickey).");
}

TEST(SshComplaint, WhatKeepsUsFromTheServerHasACure) {
  struct Case {
    const char* said;
    ErrorCode code;
    const char* told;
  };
  for (const Case& one : {
           Case{"ssh: Could not resolve hostname h: Name or service not known",
                ErrorCode::kTimedOut,
                "cannot find host \"h\": Name or service not known; check the name, or the name "
                "server"},
           Case{
               "ssh: connect to host 10.0.0.1 port 23: Connection refused", ErrorCode::kTimedOut,
               "cannot connect to 10.0.0.1 port 23: Connection refused; is sshd running there, and "
               "is the port right?"},
           Case{"ssh: connect to host ::1 port 22: Connection timed out", ErrorCode::kTimedOut,
                "cannot connect to ::1 port 22: no answer in time; is the host up, and does a "
                "firewall let port 22 through?"},
           Case{"Unable to negotiate with h port 22: no matching MAC found. Their offer: a,b",
                ErrorCode::kUnsupported,
                "h: no algorithm in common with the server: no matching MAC, it offers a,b; if you "
                "want one of these, use -o MACs="},
           Case{"ED25519 host key for h was revoked and you have requested strict checking.",
                ErrorCode::kHostKey, "h: host key of h is revoked; do not trust this server"},
           Case{"subsystem request failed on channel 0", ErrorCode::kUnsupported,
                "h: the server refused to start the SFTP subsystem; is SFTP switched on there? "
                "another way to start it can be named with -o sftp_server="},
       }) {
    const Error error = ssh_complaint("h", one.said, "");
    EXPECT_EQ(error.message(), one.told);
    EXPECT_TRUE(error.is(one.code)) << one.said;
  }
}

// All that OpenSSH 10 says where another kind of server answers.
TEST(SshComplaint, HangingUpBeforeTheLogInIsAMatterOfThePortAndLaterOfTheConnection) {
  const std::string said = "Connection closed by 10.0.0.1 port 80\n";
  const Error early = ssh_complaint("h", said, "");
  EXPECT_TRUE(early.is(ErrorCode::kTimedOut));
  EXPECT_EQ(
      early.message(),
      "h: no SSH server answered, or it hung up before the log-in; is the port right, and has "
      "the server not too many guests already (MaxStartups)? (Connection closed by 10.0.0.1 "
      "port 80)");
  const Error late = ssh_complaint("h", said, "", LoginStage::kServed);
  EXPECT_TRUE(late.is(ErrorCode::kConnectionLost));
  EXPECT_EQ(late.message(), "h: Connection closed by 10.0.0.1 port 80");
}

TEST(SshComplaint, OtherLastWordsArePassedOn) {
  const Error error = ssh_complaint("h", "one\ntwo\nthree", "");
  EXPECT_TRUE(error.is(ErrorCode::kConnectionLost));
  EXPECT_EQ(error.message(), "h: two; three");
}

TEST(SshComplaint, SilenceIsExplainedByTheFallback) {
  const Error error = ssh_complaint("h", "\n", "ssh ended with signal 9");
  EXPECT_TRUE(error.is(ErrorCode::kConnectionLost));
  EXPECT_EQ(error.message(), "h: ssh ended with signal 9");
}

}  // namespace
}  // namespace sftpfs::ssh
