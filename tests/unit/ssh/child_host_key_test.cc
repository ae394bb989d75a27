// Pinning the host key of ssh(1) children: when, what they are told, and what is believed.
#include "ssh/child_host_key.h"

#include <gtest/gtest.h>

#include <string>

namespace sftpfs::ssh {
namespace {

constexpr const char* kKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMCIPJ0i+/d=";

Options with_policy(HostKeyPolicy policy) {
  Options options;
  options.host_key_policy = policy;
  return options;
}

TEST(ChildHostKey, StaysOutWhereSshItselfIsStrict) {
  ChildHostKey host_key("word");
  EXPECT_TRUE(host_key.take_report(std::string("word ") + kKey));
  EXPECT_TRUE(host_key.child_options(Options()).empty());
  EXPECT_TRUE(host_key.child_options(with_policy(HostKeyPolicy::kYes)).empty());
  EXPECT_TRUE(host_key.child_options(with_policy(HostKeyPolicy::kAsk)).empty());
}

TEST(ChildHostKey, LeavesACommandOfTheUsersAlone) {
  const ChildHostKey host_key("word");
  Options options = with_policy(HostKeyPolicy::kNo);
  options.ssh_options.emplace_back("knownhostscommand", "/usr/bin/keys %H");
  EXPECT_TRUE(host_key.child_options(options).empty());
}

TEST(ChildHostKey, AsksTheFirstChildAndBindsTheOthers) {
  for (const HostKeyPolicy policy : {HostKeyPolicy::kNo, HostKeyPolicy::kAcceptNew}) {
    ChildHostKey host_key("word");
    const auto first = host_key.child_options(with_policy(policy));
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].first, "KnownHostsCommand");
    EXPECT_NE(first[0].second.find(" word %I %t %K"), std::string::npos);

    EXPECT_TRUE(host_key.take_report(std::string("word ") + kKey));
    EXPECT_EQ(host_key.pinned(), kKey);
    const auto later = host_key.child_options(with_policy(policy));
    ASSERT_EQ(later.size(), 5U);
    EXPECT_NE(later[0].second.find(kKey), std::string::npos);
    EXPECT_EQ(later[1], (std::pair<std::string, std::string>("StrictHostKeyChecking", "yes")));
  }
}

TEST(ChildHostKey, TheFirstReportStays) {
  ChildHostKey host_key("word");
  EXPECT_TRUE(host_key.take_report(std::string("word ") + kKey));
  EXPECT_TRUE(host_key.take_report("word ssh-rsa AAAA"));
  EXPECT_EQ(host_key.pinned(), kKey);
}

TEST(ChildHostKey, OtherLinesAreNoReport) {
  ChildHostKey host_key("word");
  for (const char* line :
       {"", "word", "words ssh-rsa AAAA", "Permission denied (publickey).", " word ssh-rsa AAAA"}) {
    EXPECT_FALSE(host_key.take_report(line)) << line;
  }
  EXPECT_EQ(host_key.pinned(), "");
}

TEST(ChildHostKey, WhatIsNoKeyNeverGetsIntoACommand) {
  ChildHostKey host_key("word");
  for (const std::string report :
       {"NONE", "ssh-rsa", "ssh-rsa ", " AAAA", "ssh-rsa AAAA'; rm -rf ~", "ssh-rsa AA AA",
        "ssh-rsa$(x) AAAA", "ssh-ed25519-cert-v01@openssh.com AAAA", "%h AAAA"}) {
    EXPECT_TRUE(host_key.take_report("word " + report)) << report;
    EXPECT_EQ(host_key.pinned(), "") << report;
  }
  EXPECT_TRUE(host_key.take_report("word ssh-rsa " + std::string(20000, 'A')));
  EXPECT_EQ(host_key.pinned(), "");
}

TEST(ChildHostKey, EachMountHasAWordOfItsOwn) {
  const Options options = with_policy(HostKeyPolicy::kNo);
  EXPECT_NE(ChildHostKey().child_options(options), ChildHostKey().child_options(options));
}

}  // namespace
}  // namespace sftpfs::ssh
