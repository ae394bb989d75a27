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
  EXPECT_EQ(error.message(),
            "me@build1: host key changed: the server shows ED25519 "
            "SHA256:2Vlg6ljcFD/ZtipCroo0hzuWjPfSSdATRiYvfjSORJc; somebody may be listening in; if "
            "you trust it, remove the old one at /home/me/.ssh/known_hosts:12");
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
            "h: No ED25519 host key is known for h and you have requested strict checking.; Host "
            "key verification failed.");
}

TEST(SshComplaint, ARefusedKeyIsAMatterOfAuthentication) {
  const Error error = ssh_complaint("me@h", "me@h: Permission denied (publickey).\n", "");
  EXPECT_TRUE(error.is(ErrorCode::kAuthentication));
  EXPECT_EQ(error.message(), "me@h: Permission denied (publickey).");
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
