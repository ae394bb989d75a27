// Promises of ssh/host_key.h: what each policy does with each key.
#include "ssh/host_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ssh/base64.h"
#include "ssh/public_key.h"
#include "ssh/wire.h"
#include "support/temp_dir.h"
#include "unit/ssh/scripted_prompter.h"

namespace sftpfs::ssh {
namespace {

using testing::HasSubstr;

const std::string kKey = WireWriter().str("ssh-ed25519").str("shown").take();
const std::string kOther = WireWriter().str("ssh-ed25519").str("recorded").take();
const std::string kRsa = WireWriter().str("ssh-rsa").str("recorded").take();

class HostKey : public testing::Test {
 protected:
  HostKey() {
    target_.host = target_.known_as = "build1";
    target_.port = target_.known_port = 2222;
    target_.user_known_hosts_files = {directory_.file("known_hosts")};
  }

  void record(const std::string& marker, const std::string& blob) {
    std::ofstream(directory_.file("known_hosts"), std::ios::app)
        << marker << "[build1]:2222 " << key_type(blob) << ' ' << base64_encode(blob) << '\n';
  }

  Result<HostKeyTrust> check(HostKeyPolicy policy) {
    target_.host_key_policy = policy;
    const Result<KnownHosts> known = KnownHosts::load(target_.user_known_hosts_files);
    return check_host_key(target_, *known, kKey, "192.0.2.1", &prompter_, patience_);
  }
  HostKeyMatch recorded() const {
    return KnownHosts::load(target_.user_known_hosts_files)->check("build1", 2222, kKey).match;
  }

  test::TempDir directory_;
  Target target_;
  ScriptedPrompter prompter_;
  Patience patience_{std::chrono::minutes(1), nullptr};
};

constexpr auto kAllPolicies = {HostKeyPolicy::kYes, HostKeyPolicy::kAsk, HostKeyPolicy::kAcceptNew,
                               HostKeyPolicy::kNo};

TEST_F(HostKey, AKnownKeyIsTrustedWithoutAWord) {
  record("", kKey);
  for (const HostKeyPolicy policy : kAllPolicies) {
    const Result<HostKeyTrust> trust = check(policy);
    ASSERT_TRUE(trust);
    EXPECT_EQ(*trust, HostKeyTrust::kFull);
  }
  EXPECT_TRUE(prompter_.asked.empty());
}

TEST_F(HostKey, AStrangerIsRefusedUnderYes) {
  const Result<HostKeyTrust> trust = check(HostKeyPolicy::kYes);
  ASSERT_FALSE(trust);
  EXPECT_TRUE(trust.error().is(ErrorCode::kHostKey));
  EXPECT_THAT(trust.error().message(), HasSubstr(fingerprint(kKey)));
  EXPECT_THAT(trust.error().message(), HasSubstr("[build1]:2222"));
  EXPECT_EQ(recorded(), HostKeyMatch::kNew);
}

TEST_F(HostKey, AStrangerIsRecordedUnderAcceptNew) {
  ASSERT_TRUE(check(HostKeyPolicy::kAcceptNew));
  EXPECT_EQ(recorded(), HostKeyMatch::kMatch);
  EXPECT_TRUE(prompter_.asked.empty());
}

TEST_F(HostKey, AskShowsTheFingerprintAndRecordsAYes) {
  prompter_.confirmations = {true};
  ASSERT_TRUE(check(HostKeyPolicy::kAsk));
  ASSERT_EQ(prompter_.asked.size(), 1U);
  EXPECT_THAT(prompter_.asked[0], HasSubstr("ED25519 key fingerprint is " + fingerprint(kKey)));
  EXPECT_THAT(prompter_.asked[0], HasSubstr("'[build1]:2222 (192.0.2.1)'"));
  EXPECT_EQ(recorded(), HostKeyMatch::kMatch);
}

TEST_F(HostKey, AskRefusesOnNoAndWhereNobodyIsThere) {
  prompter_.confirmations = {false};
  EXPECT_FALSE(check(HostKeyPolicy::kAsk));
  prompter_.present = false;
  EXPECT_FALSE(check(HostKeyPolicy::kAsk));
  prompter_.present = true;
  target_.batch_mode = true;
  EXPECT_FALSE(check(HostKeyPolicy::kAsk));
  EXPECT_EQ(prompter_.asked.size(), 1U);
  EXPECT_EQ(recorded(), HostKeyMatch::kNew);
}

TEST_F(HostKey, AChangedKeyIsRefusedWithBothFingerprintsPlaceAndCure) {
  record("", kOther);
  for (const HostKeyPolicy policy :
       {HostKeyPolicy::kYes, HostKeyPolicy::kAsk, HostKeyPolicy::kAcceptNew}) {
    const Result<HostKeyTrust> trust = check(policy);
    ASSERT_FALSE(trust);
    EXPECT_TRUE(trust.error().is(ErrorCode::kHostKey));
    const std::string& text = trust.error().message();
    EXPECT_THAT(text, HasSubstr(fingerprint(kKey)));
    EXPECT_THAT(text, HasSubstr(fingerprint(kOther)));
    EXPECT_THAT(text, HasSubstr(directory_.file("known_hosts") + ":1"));
    EXPECT_THAT(text, HasSubstr("ssh-keygen -R '[build1]:2222'"));
  }
  EXPECT_TRUE(prompter_.asked.empty());
}

TEST_F(HostKey, AChangedKeyUnderNoGetsNoPasswords) {
  record("", kOther);
  const Result<HostKeyTrust> trust = check(HostKeyPolicy::kNo);
  ASSERT_TRUE(trust);
  EXPECT_EQ(*trust, HostKeyTrust::kNoPasswords);
  EXPECT_EQ(recorded(), HostKeyMatch::kChanged);
}

TEST_F(HostKey, AKeyOfAnotherTypeIsAChangedOneAsItIsForSsh) {
  record("", kRsa);
  prompter_.confirmations = {true, true, true};
  for (const HostKeyPolicy policy :
       {HostKeyPolicy::kYes, HostKeyPolicy::kAsk, HostKeyPolicy::kAcceptNew}) {
    const Result<HostKeyTrust> trust = check(policy);
    ASSERT_FALSE(trust);
    EXPECT_THAT(trust.error().message(), HasSubstr("has RSA"));
    EXPECT_THAT(trust.error().message(), HasSubstr("shows ED25519"));
    EXPECT_THAT(trust.error().message(), HasSubstr("transport=ssh"));
  }
  EXPECT_TRUE(prompter_.asked.empty());
  const Result<HostKeyTrust> trust = check(HostKeyPolicy::kNo);
  ASSERT_TRUE(trust);
  EXPECT_EQ(*trust, HostKeyTrust::kNoPasswords);
}

TEST_F(HostKey, ARevokedKeyIsRefusedUnderEveryPolicy) {
  record("@revoked ", kKey);
  prompter_.confirmations = {true, true, true, true};
  for (const HostKeyPolicy policy : kAllPolicies) {
    const Result<HostKeyTrust> trust = check(policy);
    ASSERT_FALSE(trust);
    EXPECT_THAT(trust.error().message(), HasSubstr("revoked"));
  }
}

}  // namespace
}  // namespace sftpfs::ssh
