// A promise about known_hosts files: each of sixty is judged as ssh -o BatchMode=yes judges it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "integration/ssh/ssh_server.h"
#include "ssh/base64.h"
#include "ssh/known_hosts.h"

namespace sftpfs::test {
namespace {

using ssh::HostKeyMatch;

// A case: lines of known_hosts, in which
//   NAME   is how the server is called: [127.0.0.1]:port        HASH    the same, hashed
//   PLAIN  is 127.0.0.1                                        ALIAS   the alias, where one is used
//   KEY    is its ed25519 key, OTHER a key of that type that it has not, RSA a key of another type
struct Case {
  const char* text;
  bool alias = false;
};

constexpr Case kCases[] = {
    {""},
    {"NAME KEY"},
    {"NAME OTHER"},
    {"NAME RSA"},
    {"NAME KEY a comment behind it"},
    {"# NAME KEY"},
    {"\n\n  \n# comment\nNAME KEY"},
    {"   NAME KEY"},
    {"\tNAME\tKEY"},
    {"NAME KEY\r"},
    {"other.example,NAME KEY"},
    {"NAME,other.example KEY"},
    {"other.example KEY"},
    {"* KEY"},
    {"* OTHER"},
    {"[127.0.0.1]:* KEY"},
    {"[127.0.0.?]:* KEY"},
    {"[127.*]:* KEY"},
    {"[128.*]:* KEY"},
    {"!NAME,* KEY"},
    {"*,!NAME KEY"},
    {"!other.example,* KEY"},
    {"!NAME KEY"},
    {"HASH KEY"},
    {"HASH OTHER"},
    {"HASH RSA"},
    {"|1|AAAA|BBBB KEY"},
    {"|1|not base64|x KEY"},
    {"|2|AAAA|BBBB KEY"},
    {"PLAIN KEY"},
    {"PLAIN OTHER"},
    {"PLAIN OTHER\nNAME KEY"},
    {"NAME OTHER\nPLAIN KEY"},
    {"NAME RSA\nPLAIN KEY"},
    {"NAME OTHER\nNAME KEY"},
    {"NAME KEY\nNAME OTHER"},
    {"NAME RSA\nNAME KEY"},
    {"NAME KEY\nNAME RSA"},
    {"@revoked NAME KEY"},
    {"@revoked * KEY"},
    {"NAME KEY\n@revoked * KEY"},
    {"@revoked * KEY\nNAME KEY"},
    {"NAME KEY\n@revoked * OTHER"},
    {"@revoked other.example KEY\nNAME KEY"},
    {"@revoked HASH KEY\nNAME KEY"},
    {"NAME KEY\n@revoked PLAIN KEY"},
    {"@cert-authority * KEY"},
    {"@cert-authority * OTHER\nNAME KEY"},
    {"@cert-authority NAME OTHER"},
    {"@unknown NAME KEY"},
    {"@revoked"},
    {"NAME"},
    {"NAME ssh-ed25519"},
    {"NAME ssh-ed25519 ####"},
    {"NAME ssh-rsa AAAAB3NzaC1yc2E"},
    {"NAME 1024 35 1234567890"},
    {"garbage garbage garbage\nNAME KEY"},
    {"ALIAS KEY", true},
    {"ALIAS OTHER", true},
    {"NAME KEY", true},
    {"[ALIAS]:2222 KEY", true},
    {"BOX KEY", true},
};
static_assert(std::size(kCases) >= 60);

class Corpus : public testing::Test {
 protected:
  static std::string read_key(const std::string& path) {
    std::ifstream file(path + ".pub");
    std::string type;
    std::string blob;
    file >> type >> blob;
    return type + " " + blob;
  }
  static void replace(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  }
  std::string hashed() const {
    const std::string file = server_.file("hashed");
    EXPECT_TRUE(ssh::append_known_host(file, name_, true,
                                       *ssh::base64_decode(key_.substr(key_.find(' ') + 1))));
    std::ifstream lines(file);
    std::string first;
    lines >> first;
    return first;
  }
  std::string write(const std::string& text) const {
    std::string filled = text;
    replace(filled, "[ALIAS]", "[the-alias]");
    replace(filled, "ALIAS", "the-alias");
    replace(filled, "BOX", "The-Alias");
    replace(filled, "NAME", name_);
    replace(filled, "PLAIN", "127.0.0.1");
    replace(filled, "HASH", hash_);
    replace(filled, "OTHER", other_);
    replace(filled, "KEY", key_);
    replace(filled, "RSA", rsa_);
    std::ofstream(server_.file("corpus")) << filled << '\n';
    return server_.file("corpus");
  }
  // "yes", "changed", "revoked" or "no".
  std::string judged_by_ssh(const std::string& file, bool alias) const {
    Arguments words{"ssh",
                    "-F",
                    "/dev/null",
                    "-oBatchMode=yes",
                    "-oStrictHostKeyChecking=yes",
                    "-oHostKeyAlgorithms=ssh-ed25519",
                    "-oGlobalKnownHostsFile=/dev/null",
                    "-oUserKnownHostsFile=" + file,
                    "-oIdentityAgent=none",
                    "-oIdentitiesOnly=yes",
                    "-i",
                    server_.user_key(),
                    "-p",
                    std::to_string(server_.port())};
    if (alias) words.emplace_back("-oHostKeyAlias=the-alias");
    words.insert(words.end(), {"-s", "127.0.0.1", "nosuchthing"});
    return read_verdict(run(words).errors);
  }
  static std::string read_verdict(const std::string& said) {
    if (said.find("revoked") != std::string::npos) return "revoked";
    if (said.find("IDENTIFICATION HAS CHANGED") != std::string::npos) return "changed";
    if (said.find("Host key verification failed") != std::string::npos) return "no";
    if (said.find("subsystem request failed") != std::string::npos) return "yes";
    return "something else: " + said;
  }
  std::string judged_by_us(const std::string& file, bool alias) const {
    const Result<ssh::KnownHosts> known = ssh::KnownHosts::load({file});
    if (!known) return why(known);
    const std::string host = alias ? "the-alias" : "127.0.0.1";
    const std::uint16_t port = alias ? ssh::kDefaultPort : server_.port();
    const auto blob = ssh::base64_decode(key_.substr(key_.find(' ') + 1));
    switch (known->check(host, port, *blob).match) {
      case HostKeyMatch::kMatch: return "yes";
      case HostKeyMatch::kChanged:
      case HostKeyMatch::kOtherTypes: return "changed";
      case HostKeyMatch::kRevoked: return "revoked";
      case HostKeyMatch::kNew: return "no";
    }
    return "nothing";
  }

  const TestServer server_;
  const std::string name_ = "[127.0.0.1]:" + std::to_string(server_.port());
  const std::string key_ = read_key(server_.host_key());
  const std::string other_ = read_key(server_.make_key("other"));
  const std::string rsa_ = read_key(server_.make_key("rsa", KeyType::kRsa));
  const std::string hash_ = hashed();
};

TEST_F(Corpus, IsJudgedAsSshJudgesIt) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.text);
    const std::string file = write(one.text);
    EXPECT_EQ(judged_by_us(file, one.alias), judged_by_ssh(file, one.alias));
  }
}

}  // namespace
}  // namespace sftpfs::test
