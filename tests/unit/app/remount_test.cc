// See app/remount.h. The conversation with a daemon is tested with a real one (integration).
#include "app/remount.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/option_table.h"

namespace sftpfs::app {
namespace {

using Options = std::vector<MountOption>;

Options words(const std::string& text) { return split_options(text).value_or(Options{}); }

// What a daemon would be told, or why it cannot be.
std::string change(const std::string& given, const std::string& asked) {
  const Result<Options> changes = words_to_change(words(given), words(asked));
  return changes ? line_of(*changes) : changes.error().message();
}

TEST(WordsToChange, AreThoseThatAMountThatServesCanTake) {
  EXPECT_EQ(change("", "remount,acmax=60,soft,nocto"), "acmax=60,soft,nocto");
  EXPECT_EQ(change("acmax=60", "acmax=60"), "acmax=60");
}

TEST(WordsToChange, LeaveOutWhatMountDoesItselfAndWhatHasNoEffect) {
  EXPECT_EQ(change("", "remount,ro,noexec,_netdev,x-systemd.automount,nofail,auto_cache"), "");
  EXPECT_EQ(change("", "bg,retry=3,lazy_connect,nonempty"), "");
}

TEST(WordsToChange, LetTheLineOfFstabBeSaidAgain) {
  const std::string line =
      "IdentityFile=/k,Port=22,allow_other,uid=1000,ssh_command=ssh\\ -v,Ciphers=a\\,b";
  EXPECT_EQ(change(line, "remount,ro," + line), "");
  // In other words, and what is so by default.
  EXPECT_EQ(change("max_conns=4,cache_size=64M", "remount,max_conns=4,cache_size=65536K,lock"), "");
}

// mount -o remount,ro DIR, of a mount that is not in fstab.
TEST(WordsToChange, LetTheWordsOfProcMountsBeSaidAgain) {
  const std::string shown =
      "rw,nosuid,nodev,relatime,user_id=0,group_id=0,default_permissions,allow_other,max_read=4096";
  EXPECT_EQ(change("allow_root,default_permissions", "remount,ro," + shown), "");
  EXPECT_EQ(change("allow_other,default_permissions", "remount,ro," + shown), "");
}

TEST(WordsToChange, NameTheWordThatCannotChangeAndWhatItIsNow) {
  EXPECT_EQ(change("Port=22,port=24", "remount,port=23"),
            "option 'port=23' cannot change while it is mounted (now port=24); unmount and mount "
            "again");
  EXPECT_EQ(change("", "acmax=3,allow_other"),
            "option 'allow_other' cannot change while it is mounted; unmount and mount again");
  EXPECT_NE(change("IdentityFile=/a", "IdentityFile=/b").find("now IdentityFile=/a"),
            std::string::npos);
}

Result<Config> changed(const std::string& given, const std::string& asked) {
  ParsedOptions before;
  before.config.words = words(given);
  for (const MountOption& word : before.config.words) {
    const OptionRow* row = find_option(word.name);
    if (!row->handler(OptionUse{before, *row, word.value.value_or("")})) ADD_FAILURE() << given;
  }
  return remounted(before.config, words(asked));
}

TEST(Remounted, KeepsWhatIsNotNamed) {
  const Result<Config> config = changed("acmin=5,port=23,soft", "acmax=60");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->attr_lifetime_min_s, 5);
  EXPECT_EQ(config->attr_lifetime_max_s, 60);
  EXPECT_EQ(config->port, 23);
  EXPECT_TRUE(config->soft);
  EXPECT_FALSE(config->log_level);
}

TEST(Remounted, RefusesWhatMakesNoSenseTogether) {
  const Result<Config> config = changed("acmin=5", "acmax=3");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message(), "acmin=5 is more than acmax=3: give acmax=5 or more");
}

// Whoever is at the socket may send anything.
TEST(Remounted, RefusesWordsThatCannotChange) {
  for (const char* asked : {"port=23", "uid=0", "remount", "nonsense", "allow_other"}) {
    EXPECT_FALSE(changed("", asked)) << asked;
  }
}

TEST(Remounted, DoesNotSwitchPromisesAheadOnOrOff) {
  EXPECT_FALSE(changed("", "durability=fsync"));
  EXPECT_FALSE(changed("durability=fsync", "durability=close"));
  EXPECT_TRUE(changed("durability=fsync", "durability=fsync"));
  EXPECT_TRUE(changed("", "durability=write"));
}

TEST(LineOf, IsAsciiAndTakenApartAgain) {
  const Options given = {{"log_level", "debug"},
                         {"soft", std::nullopt},
                         {"ssh_command", "sh -c \"a,b\" \\ = \xc3\xa9\xff"},
                         {"comment", "\"quoted\""}};
  const std::string line = line_of(given);
  for (const char c : line) EXPECT_GT(c, ' ');
  EXPECT_EQ(words(line), given) << line;
}

}  // namespace
}  // namespace sftpfs::app
