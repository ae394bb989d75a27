// Promises of ssh/known_hosts.h.
#include "ssh/known_hosts.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "ssh/base64.h"
#include "ssh/public_key.h"
#include "ssh/wire.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace sftpfs::ssh {
namespace {

std::string blob_of(const std::string& type, const std::string& body) {
  return WireWriter().str(type).str(body).take();
}
const std::string kEd25519 = blob_of("ssh-ed25519", "the right key");
const std::string kEd25519Other = blob_of("ssh-ed25519", "another key");
const std::string kRsa = blob_of("ssh-rsa", "the right key");

std::string line(const std::string& hosts, const std::string& blob) {
  return fmt::format("{} {} {}\n", hosts, key_type(blob), base64_encode(blob));
}
KnownHosts known(const std::string& text) {
  KnownHosts hosts;
  hosts.add_text("file", text);
  return hosts;
}
HostKeyMatch match(const std::string& text, const std::string& host, std::uint16_t port,
                   const std::string& blob) {
  return known(text).check(host, port, blob).match;
}

TEST(KnownHosts, TellsAMatchFromAChangeFromAStranger) {
  const std::string text = line("build1", kEd25519);
  EXPECT_EQ(match(text, "build1", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(text, "build1", 22, kEd25519Other), HostKeyMatch::kChanged);
  EXPECT_EQ(match(text, "build1", 22, kRsa), HostKeyMatch::kOtherTypes);
  EXPECT_EQ(match(text, "build2", 22, kEd25519), HostKeyMatch::kNew);
  EXPECT_EQ(match("", "build1", 22, kEd25519), HostKeyMatch::kNew);
}

TEST(KnownHosts, NamesTheLineThatDecided) {
  const HostKeyVerdict verdict =
      known("# comment\n\n" + line("build1", kEd25519)).check("build1", 22, kEd25519Other);
  ASSERT_TRUE(verdict.line);
  EXPECT_EQ(verdict.line->line, 3U);
  EXPECT_EQ(verdict.line->file, "file");
  EXPECT_EQ(verdict.line->blob, kEd25519);
}

TEST(KnownHosts, AnyMatchingLineIsEnough) {
  const std::string text = line("h", kEd25519Other) + line("h", kRsa) + line("h", kEd25519);
  EXPECT_EQ(match(text, "h", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(text, "h", 22, blob_of("ssh-ed25519", "third")), HostKeyMatch::kChanged);
}

TEST(KnownHosts, MatchesNamesAsOpenSshDoes) {
  EXPECT_EQ(match(line("a,b,10.0.0.1", kEd25519), "b", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(line("Build1.Example.ORG", kEd25519), "build1.example.org", 22, kEd25519),
            HostKeyMatch::kMatch);
  EXPECT_EQ(match(line("build1", kEd25519), "BUILD1", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(line("*.example.org", kEd25519), "a.b.example.org", 22, kEd25519),
            HostKeyMatch::kMatch);
  EXPECT_EQ(match(line("*.example.org", kEd25519), "example.org", 22, kEd25519),
            HostKeyMatch::kNew);
  EXPECT_EQ(match(line("build?", kEd25519), "build1", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(line("build?", kEd25519), "build12", 22, kEd25519), HostKeyMatch::kNew);
  EXPECT_EQ(match(line("::1", kEd25519), "::1", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(line("*a*b*", kEd25519), "xxaxxbxx", 22, kEd25519), HostKeyMatch::kMatch);
}

TEST(KnownHosts, ANegatedPatternRulesTheLineOut) {
  const std::string text = line("*.example.org,!bad.example.org", kEd25519);
  EXPECT_EQ(match(text, "good.example.org", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(text, "bad.example.org", 22, kEd25519), HostKeyMatch::kNew);
  EXPECT_EQ(
      match(line("!bad.example.org,*.example.org", kEd25519), "bad.example.org", 22, kEd25519),
      HostKeyMatch::kNew);
}

TEST(KnownHosts, PortsHaveTheirOwnNames) {
  const std::string text = line("[build1]:2222", kEd25519);
  EXPECT_EQ(match(text, "build1", 2222, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(text, "build1", 2222, kEd25519Other), HostKeyMatch::kChanged);
  EXPECT_EQ(match(text, "build1", 22, kEd25519), HostKeyMatch::kNew);
}

TEST(KnownHosts, AKeyWithoutPortVouchesForOtherPortsButAccusesNone) {
  const std::string text = line("build1", kEd25519);
  EXPECT_EQ(match(text, "build1", 2222, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(text, "build1", 2222, kEd25519Other), HostKeyMatch::kNew);
}

TEST(KnownHosts, ARevokedKeyIsRefusedWhoeverVouchesForIt) {
  const std::string revoked = "@revoked " + line("*", kEd25519);
  EXPECT_EQ(match(line("h", kEd25519) + revoked, "h", 22, kEd25519), HostKeyMatch::kRevoked);
  EXPECT_EQ(match(revoked + line("h", kEd25519), "h", 22, kEd25519), HostKeyMatch::kRevoked);
  EXPECT_EQ(match(revoked + line("h", kRsa), "h", 22, kRsa), HostKeyMatch::kMatch);
  EXPECT_EQ(match(revoked + line("h", kEd25519), "h", 2222, kEd25519), HostKeyMatch::kRevoked);
}

TEST(KnownHosts, AnAuthorityIsNoHostKey) {
  const KnownHosts hosts = known("@cert-authority " + line("*.example.org", kEd25519));
  const HostKeyVerdict verdict = hosts.check("a.example.org", 22, kEd25519);
  EXPECT_EQ(verdict.match, HostKeyMatch::kNew);
  EXPECT_TRUE(verdict.certificate_authority);
  EXPECT_TRUE(hosts.types_for("a.example.org", 22).empty());
}

TEST(KnownHosts, SkipsLinesThatMakeNoSense) {
  const std::string text = "h\nh ssh-ed25519\nh ssh-ed25519 !!!notbase64!!!\n@unknown " +
                           line("h", kEd25519Other) + "h 1024 35 123456789\n" + "h ssh-rsa " +
                           base64_encode(kEd25519) + "\n" + std::string(100'000, 'x') + "\n\t" +
                           line("h", kEd25519);
  EXPECT_EQ(known(text).lines().size(), 1U);
  EXPECT_EQ(match(text, "h", 22, kEd25519), HostKeyMatch::kMatch);
}

TEST(KnownHosts, TakesCarriageReturnsCommentsAndAMissingLastNewline) {
  std::string text = line("h", kEd25519);
  text.pop_back();
  EXPECT_EQ(match(text, "h", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(text + "\r\n", "h", 22, kEd25519), HostKeyMatch::kMatch);
  EXPECT_EQ(match(text + " me@home, my laptop\n", "h", 22, kEd25519), HostKeyMatch::kMatch);
}

TEST(KnownHosts, ReadsNamesThatSshKeygenHashed) {
  const test::TempDir directory;
  const std::string file = directory.file("known_hosts");
  std::ofstream(file) << line("secret.example.org", kEd25519) << line("[h]:2222", kRsa);
  const test::Outcome hashed = test::run({"ssh-keygen", "-H", "-f", file});
  ASSERT_TRUE(hashed.ok()) << hashed.describe();
  const Result<KnownHosts> hosts = KnownHosts::load({file});
  ASSERT_TRUE(hosts);
  ASSERT_EQ(hosts->lines().size(), 2U);
  EXPECT_EQ(hosts->lines()[0].hosts.substr(0, 3), "|1|");
  EXPECT_EQ(hosts->check("secret.example.org", 22, kEd25519).match, HostKeyMatch::kMatch);
  EXPECT_EQ(hosts->check("h", 2222, kRsa).match, HostKeyMatch::kMatch);
  EXPECT_EQ(hosts->check("other.example.org", 22, kEd25519).match, HostKeyMatch::kNew);
}

TEST(KnownHosts, SurvivesDamagedHashes) {
  for (const char* field :
       {"|1|", "|1|a", "|1|AAAA|", "|1||AAAA", "|1|%%%%|%%%%", "|2|AAAA|AAAA"}) {
    EXPECT_FALSE(known_hosts_field_matches(field, "h")) << field;
  }
}

TEST(KnownHosts, ListsTheTypesItKnowsInOrder) {
  const KnownHosts hosts = known(line("h", kRsa) + line("h,x", kEd25519) + line("h", kRsa) +
                                 line("y", blob_of("ecdsa-sha2-nistp256", "k")));
  EXPECT_EQ(hosts.types_for("h", 22), (std::vector<std::string>{"ssh-rsa", "ssh-ed25519"}));
  EXPECT_EQ(hosts.types_for("h", 2222), (std::vector<std::string>{"ssh-rsa", "ssh-ed25519"}));
  EXPECT_TRUE(hosts.types_for("nobody", 22).empty());
}

TEST(KnownHosts, AMissingFileIsAnEmptyOne) {
  const test::TempDir directory;
  const Result<KnownHosts> hosts = KnownHosts::load({directory.file("none")});
  ASSERT_TRUE(hosts);
  EXPECT_TRUE(hosts->lines().empty());
}

TEST(KnownHosts, AppendsLinesThatSshFinds) {
  const test::TempDir directory;
  const std::string file = directory.file("dot-ssh/known_hosts");
  ASSERT_TRUE(append_known_host(file, "[h]:2222", false, kEd25519));
  ASSERT_TRUE(append_known_host(file, "h", true, kRsa));
  struct stat attributes {};
  ASSERT_EQ(::stat(file.c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(directory.file("dot-ssh").c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 0777, 0700U);
  const Result<KnownHosts> hosts = KnownHosts::load({file});
  ASSERT_TRUE(hosts);
  EXPECT_EQ(hosts->check("h", 2222, kEd25519).match, HostKeyMatch::kMatch);
  EXPECT_EQ(hosts->check("h", 22, kRsa).match, HostKeyMatch::kMatch);
  const test::Outcome found = test::run({"ssh-keygen", "-F", "h", "-f", file});
  EXPECT_TRUE(found.ok()) << found.describe();
}

TEST(KnownHosts, AppendsBehindAnUnfinishedLine) {
  const test::TempDir directory;
  const std::string file = directory.file("known_hosts");
  std::string unfinished = line("a", kRsa);
  unfinished.pop_back();
  std::ofstream(file) << unfinished;
  ASSERT_TRUE(append_known_host(file, "b", false, kEd25519));
  const Result<KnownHosts> hosts = KnownHosts::load({file});
  ASSERT_TRUE(hosts);
  EXPECT_EQ(hosts->check("a", 22, kRsa).match, HostKeyMatch::kMatch);
  EXPECT_EQ(hosts->check("b", 22, kEd25519).match, HostKeyMatch::kMatch);
}

}  // namespace
}  // namespace sftpfs::ssh
