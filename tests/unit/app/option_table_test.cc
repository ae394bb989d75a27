// See app/option_table.h and app/help.h.
#include "app/option_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "app/apply_options.h"
#include "app/help.h"
#include "app/option_list.h"
#include "app/values.h"

namespace sftpfs::app {
namespace {

std::vector<OptionRow> all_rows() {
  std::vector<OptionRow> rows(mount_option_rows().begin(), mount_option_rows().end());
  rows.insert(rows.end(), ssh_option_rows().begin(), ssh_option_rows().end());
  return rows;
}

Status apply(const std::string& text, ParsedOptions& into, bool sloppy = false) {
  const Result<std::vector<MountOption>> options = split_options(text);
  if (!options) return fail(options.error());
  Status applied = apply_options(*options, sloppy, into);
  if (!applied) return applied;
  return validate(into.config);
}

std::string error_of(const std::string& text) {
  ParsedOptions parsed;
  const Status applied = apply(text, parsed);
  return applied ? "" : applied.error().message();
}

TEST(OptionTable, HelpListsEveryRow) {
  const std::string help = help_text();
  for (const OptionRow& row : all_rows()) {
    SCOPED_TRACE(row.name);
    EXPECT_NE(help.find("\n  " + std::string(row.name)), std::string::npos);
    EXPECT_FALSE(row.help.empty());
    EXPECT_NE(help.find(row.help), std::string::npos);
  }
}

TEST(OptionTable, FindsEveryRowByItsOwnNameOnly) {
  std::set<std::string> names;
  for (const OptionRow& row : all_rows()) {
    SCOPED_TRACE(row.name);
    EXPECT_TRUE(names.insert(std::string(row.name)).second) << "twice";
    const OptionRow* found = find_option(row.name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->name, row.name);
  }
}

TEST(OptionTable, EveryRowThatPromisesSomethingStoresIt) {
  for (const OptionRow& row : all_rows()) {
    SCOPED_TRACE(row.name);
    const bool stores = row.support == Support::kFull || row.support == Support::kSshHint ||
                        row.support == Support::kSshOnly;
    EXPECT_EQ(row.handler != nullptr, stores);
  }
}

TEST(OptionTable, EveryAcceptedRowIsAcceptedByTheParser) {
  for (const OptionRow& row : all_rows()) {
    if (row.support == Support::kRefused || row.needs_value()) continue;
    SCOPED_TRACE(row.name);
    ParsedOptions parsed;
    const Status applied = apply_options({{std::string(row.name), {}}}, false, parsed);
    EXPECT_TRUE(applied) << applied.error().message();
    EXPECT_EQ(parsed.warnings.size(), row.support == Support::kMissing ? 1U : 0U);
  }
}

TEST(OptionTable, EveryRefusedRowNamesTheWayOut) {
  for (const OptionRow& row : all_rows()) {
    if (row.support != Support::kRefused) continue;
    SCOPED_TRACE(row.name);
    ParsedOptions parsed;
    const Status applied = apply_options({{std::string(row.name), "x"}}, true, parsed);
    ASSERT_FALSE(applied);
    EXPECT_NE(applied.error().message().find(row.help), std::string::npos);
  }
}

TEST(OptionTable, SshWordsMatchInAnyCaseAndTheOthersDoNot) {
  for (const char* name :
       {"StrictHostKeyChecking", "stricthostkeychecking", "STRICTHOSTKEYCHECKING"}) {
    ASSERT_NE(find_option(name), nullptr) << name;
    EXPECT_EQ(find_option(name)->name, "StrictHostKeyChecking");
  }
  EXPECT_EQ(find_option("port")->name, "Port");
  EXPECT_EQ(find_option("Allow_Other"), nullptr);
  EXPECT_EQ(find_option("RO"), nullptr);
}

TEST(OptionTable, TheUserOfMountIsNotTheUserOfSsh) {
  ParsedOptions parsed;
  ASSERT_TRUE(apply("user=joe,User=jane", parsed));
  ASSERT_NE(find_ssh_option(parsed.config, "User"), nullptr);
  EXPECT_EQ(*find_ssh_option(parsed.config, "User"), "jane");
  EXPECT_EQ(parsed.config.ssh_options.size(), 1U);
}

TEST(OptionTable, UnknownWordsAreNamedWithTheOneThatWasMeant) {
  EXPECT_EQ(error_of("foo"), "unknown option 'foo' (see sftpfs -h)");
  EXPECT_EQ(error_of("alow_other"),
            "unknown option 'alow_other', did you mean 'allow_other'? (see sftpfs -h)");
  EXPECT_EQ(error_of("recnonect"),
            "unknown option 'recnonect', did you mean 'reconnect'? (see sftpfs -h)");
  EXPECT_EQ(error_of("stricthostkeycheking=no"),
            "unknown option 'stricthostkeycheking', did you mean 'StrictHostKeyChecking'? "
            "(see sftpfs -h)");
  EXPECT_EQ(error_of("cachesize=1G"),
            "unknown option 'cachesize', did you mean 'cache_size'? (see sftpfs -h)");
}

TEST(OptionTable, ErrorsNeverQuoteTheValueOfAnUnknownWord) {
  EXPECT_EQ(error_of("passwd=hunter2").find("hunter2"), std::string::npos);
  EXPECT_EQ(error_of("password=hunter2").find("hunter2"), std::string::npos);
}

TEST(OptionTable, SloppyTurnsUnknownWordsIntoWarnings) {
  ParsedOptions parsed;
  ASSERT_TRUE(apply("vers=4.2,ro", parsed, true));
  EXPECT_TRUE(parsed.config.flags.read_only);
  EXPECT_EQ(parsed.warnings, std::vector<std::string>{"unknown option 'vers' ignored"});
  // Wrong values of known ones stay errors.
  EXPECT_FALSE(apply("uid=nobody-here-by-this-name", parsed, true));
}

TEST(OptionTable, ErrorsNameTheOptionTheValueAndWhatWouldDo) {
  EXPECT_EQ(error_of("cache_size=12Q"),
            "option 'cache_size': '12Q' is not a size (examples: 512K, 64M, 2G)");
  EXPECT_EQ(error_of("max_conns=17"), "option 'max_conns': '17' is not between 1 and 16");
  EXPECT_EQ(error_of("max_conns=0"), "option 'max_conns': '0' is not between 1 and 16");
  EXPECT_EQ(error_of("port=0"), "option 'Port': '0' is not between 1 and 65535");
  EXPECT_EQ(error_of("port"), "option 'Port': needs a value (Port=PORT)");
  EXPECT_EQ(error_of("umask=9"), "option 'umask': '9' is not an octal mask (example: 022)");
  EXPECT_EQ(error_of("allow_other=yes"), "option 'allow_other': takes no value");
  EXPECT_EQ(error_of("dir_cache=perhaps"), "option 'dir_cache': 'perhaps' is not yes or no");
  EXPECT_EQ(error_of("transport=telnet"),
            "option 'transport': 'telnet' is none of: libssh2, ssh, auto");
  EXPECT_EQ(error_of("block_size=100K"),
            "option 'block_size': '100K' is not a power of two between 4K and 4M");
  EXPECT_EQ(error_of("idmap=file"), "idmap=file needs uidfile= or gidfile=");
  EXPECT_EQ(error_of("workaround=rename:magic"),
            "option 'workaround': 'magic' is not a workaround");
  EXPECT_EQ(error_of("ssh_protocol=1"),
            "option 'ssh_protocol': only version 2 of the SSH protocol is spoken");
  EXPECT_EQ(error_of("ssh_option=Foo"), "option 'ssh_option': 'Foo' is not Name=Value");
}

TEST(OptionTable, WhatThisVersionCannotDoIsNeverSilent) {
  for (const char* text : {"noforget", "remember=10", "dcache_dir_timeout=5",
                           "cache_link_timeout=5", "no_check_root"}) {
    SCOPED_TRACE(text);
    ParsedOptions parsed;
    ASSERT_TRUE(apply(text, parsed));
    ASSERT_EQ(parsed.warnings.size(), 1U);
    EXPECT_EQ(parsed.warnings[0].find('\n'), std::string::npos);
  }
}

TEST(OptionTable, WhatOnlySshCanDoIsHandedOnByName) {
  ParsedOptions parsed;
  ASSERT_TRUE(apply("ControlMaster=auto,RevokedHostKeys=/r,Ciphers=aes128-ctr", parsed));
  EXPECT_EQ(parsed.config.ssh_hints, std::vector<std::string>{"ControlMaster"});
  EXPECT_EQ(parsed.config.ssh_only, std::vector<std::string>{"RevokedHostKeys"});
  ParsedOptions off;
  ASSERT_TRUE(apply("ControlMaster=no,ControlPath=none,GSSAPIAuthentication=no", off));
  EXPECT_TRUE(off.config.ssh_hints.empty());
  EXPECT_TRUE(off.config.ssh_only.empty());
}

TEST(OptionTable, NothingIsSaidAboutWhatMakesNoDifference) {
  for (const char* text :
       {"idmap=none", "workaround=none", "workaround=nonodelay:buflimit", "ControlMaster=no",
        "ControlPath=none", "PasswordAuthentication=yes", "GSSAPIAuthentication=no", "nomap=ignore",
        "no_contain_symlinks", "transport=ssh,Ciphers=aes128-ctr"}) {
    SCOPED_TRACE(text);
    ParsedOptions parsed;
    ASSERT_TRUE(apply(text, parsed));
    EXPECT_TRUE(parsed.warnings.empty()) << parsed.warnings.front();
  }
}

TEST(OptionTable, SuggestionsNeedMostLettersToBeRight) {
  EXPECT_EQ(suggest_option("xy"), "");
  EXPECT_EQ(suggest_option("completely_else"), "");
  EXPECT_EQ(suggest_option("rwo"), "");
  EXPECT_EQ(suggest_option("nosiud"), "nosuid");
}

}  // namespace
}  // namespace sftpfs::app
