// Every operation against OpenSSH's own sftp-server, in a directory of its own.
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "runtime/loop.h"
#include "runtime/task.h"
#include "sftp/client.h"
#include "unit/sftp/process_stream.h"

namespace sftpfs::test {
namespace {

using runtime::Task;
using sftp::Attrs;
using sftp::Client;
using sftp::Handle;

constexpr const char* kServer = "/usr/lib/openssh/sftp-server";

class SftpServer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access(kServer, X_OK) != 0) GTEST_SKIP() << kServer << " is not installed";
    std::string name = std::filesystem::temp_directory_path() / "sftp-server-test.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir = name;
  }
  void TearDown() override {
    if (!dir.empty()) std::filesystem::remove_all(dir);
  }

  // Runs `script` with a client of a fresh server.
  void with_client(Task<void> (*script)(Client&, std::string)) {
    ended = false;
    auto stream = ProcessStream::start(kServer);
    ASSERT_NE(stream, nullptr);
    loop.post([this, script, owned = std::move(stream)]() mutable {
      runtime::spawn(serve(*this, std::move(owned), script));
    });
    runtime::Timer watchdog(loop);
    watchdog.start_after(std::chrono::seconds(60), [this] { loop.stop(); });
    loop.run();
    EXPECT_TRUE(ended) << "no answer for a minute";
  }
  static Task<void> serve(SftpServer& self, std::unique_ptr<runtime::ByteStream> stream,
                          Task<void> (*script)(Client&, std::string)) {
    auto client = co_await Client::start(std::move(stream), nullptr);
    EXPECT_TRUE(client) << (client ? "" : client.error().describe());
    if (client) {
      co_await script(**client, self.dir);
      EXPECT_TRUE((*client)->alive());
    }
    self.ended = true;
    self.loop.stop();
  }

  SteadyClock clock;
  runtime::Loop loop{clock};
  std::string dir;
  bool ended = false;
};

void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}
std::string get(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string random_text(std::size_t bytes) {
  std::mt19937_64 random(bytes);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}
Attrs mode(std::uint32_t permissions) {
  Attrs attrs;
  attrs.flags = sftp::kAttrPermissions;
  attrs.permissions = permissions;
  return attrs;
}
MutableByteSpan writable(std::string& text) {
  return std::as_writable_bytes(std::span<char>(text.data(), text.size()));
}
const Attrs no_attrs;
template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "" : result.error().describe();
}
#define EXPECT_OK(result) EXPECT_TRUE(result) << error_of(result)

Task<void> check_limits(Client& client, std::string /*dir*/) {
  EXPECT_EQ(client.limits().read_bytes_max, 261120U);
  EXPECT_EQ(client.limits().write_bytes_max, 261120U);
  EXPECT_GT(client.limits().handles_max, 0U);
  const sftp::Extensions& offered = client.extensions();
  EXPECT_TRUE(offered.posix_rename && offered.hardlink && offered.fsync && offered.statvfs &&
              offered.fstatvfs && offered.lsetstat && offered.limits && offered.copy_data &&
              offered.expand_path && offered.home_directory && offered.users_groups_by_id);
  const auto nothing = co_await client.drained();
  EXPECT_OK(nothing);
}
TEST_F(SftpServer, OffersItsExtensionsAndLimits) { with_client(check_limits); }

Task<void> check_attributes(Client& client, std::string dir) {
  put(dir + "/file", "12345");
  std::filesystem::create_symlink("file", dir + "/link");
  const auto followed = co_await client.stat(dir + "/link");
  EXPECT_OK(followed);
  EXPECT_EQ(followed.value_or(Attrs{}).size, 5U);
  const auto link = co_await client.lstat(dir + "/link");
  EXPECT_OK(link);
  EXPECT_TRUE(S_ISLNK(link.value_or(Attrs{}).permissions));
  const auto missing = co_await client.lstat(dir + "/missing");
  EXPECT_TRUE(!missing && missing.error().is_sftp(sftp::kFxNoSuchFile));

  Attrs change = mode(0640);
  change.flags |= sftp::kAttrTimes | sftp::kAttrSize;
  change.size = 3;
  change.atime = 1'000'000'000;
  change.mtime = 1'100'000'000;
  const auto set = co_await client.setstat(dir + "/file", change);
  EXPECT_OK(set);
  struct stat now {};
  EXPECT_EQ(::stat((dir + "/file").c_str(), &now), 0);
  EXPECT_EQ(now.st_size, 3);
  EXPECT_EQ(now.st_mode & 0777U, 0640U);
  EXPECT_EQ(now.st_mtime, 1'100'000'000);

  Attrs times;
  times.flags = sftp::kAttrTimes;
  times.atime = times.mtime = 1'200'000'000;
  const auto link_set = co_await client.lsetstat(dir + "/link", times);
  EXPECT_OK(link_set);
  EXPECT_EQ(::lstat((dir + "/link").c_str(), &now), 0);
  EXPECT_EQ(now.st_mtime, 1'200'000'000);
}
TEST_F(SftpServer, ReadsAndChangesAttributes) { with_client(check_attributes); }

Task<void> check_files(Client& client, std::string dir) {
  const std::string text = random_text(3'000'000);
  const std::uint32_t flags =
      sftp::kOpenRead | sftp::kOpenWrite | sftp::kOpenCreate | sftp::kOpenExclusive;
  const auto handle = co_await client.open(dir + "/big", flags, mode(0600));
  EXPECT_OK(handle);
  const Handle file = handle.value_or("");
  const auto again = co_await client.open(dir + "/big", flags, mode(0600));
  EXPECT_FALSE(again);

  // Read and fstat are queued behind the write and see its data without waiting for it.
  std::string back(text.size(), '\0');
  auto write = client.write(file, 0, SharedBytes::copy_of(as_byte_span(text)));
  auto fstat = client.fstat(file, sftp::Queue::kBulk);
  auto read = client.read(file, 0, writable(back), text.size(), sftp::Queue::kBulk);
  auto fsync = client.fsync(file);
  const auto read_bytes = co_await read;
  EXPECT_OK(read_bytes);
  EXPECT_EQ(read_bytes.value_or(0), text.size());
  EXPECT_TRUE(back == text);
  const auto attrs = co_await fstat;
  EXPECT_EQ(attrs.value_or(Attrs{}).size, text.size());
  const auto written = co_await write;
  EXPECT_OK(written);
  const auto synced = co_await fsync;
  EXPECT_OK(synced);
  EXPECT_TRUE(get(dir + "/big") == text);

  std::string tail(1000, '\0');
  const auto end = co_await client.read(file, text.size() - 10, writable(tail), 0);
  EXPECT_EQ(end.value_or(0), 10U);
  const auto behind = co_await client.read(file, text.size() + 10, writable(tail), 0);
  EXPECT_OK(behind);
  EXPECT_EQ(behind.value_or(1), 0U);

  const auto changed = co_await client.fsetstat(file, mode(0644));
  EXPECT_OK(changed);
  const auto closed = co_await client.close(file);
  EXPECT_OK(closed);
  const auto stale = co_await client.fstat(file);
  EXPECT_FALSE(stale);
}
TEST_F(SftpServer, WritesAndReadsFiles) { with_client(check_files); }

Task<void> check_copy(Client& client, std::string dir) {
  put(dir + "/from", random_text(500'000));
  const auto from = co_await client.open(dir + "/from", sftp::kOpenRead, no_attrs);
  const std::uint32_t flags = sftp::kOpenWrite | sftp::kOpenCreate;
  const auto to = co_await client.open(dir + "/to", flags, mode(0600));
  EXPECT_OK(from);
  EXPECT_OK(to);
  const auto copied = co_await client.copy_data(*from, 0, 0, *to, 0);
  EXPECT_OK(copied);
  EXPECT_TRUE(get(dir + "/to") == get(dir + "/from"));
}
TEST_F(SftpServer, CopiesOnTheServer) { with_client(check_copy); }

Task<void> check_names(Client& client, std::string dir) {
  const auto made = co_await client.mkdir(dir + "/sub", mode(0755));
  EXPECT_OK(made);
  const auto twice = co_await client.mkdir(dir + "/sub", mode(0755));
  EXPECT_FALSE(twice);
  put(dir + "/sub/a", "A");
  const auto linked = co_await client.hardlink(dir + "/sub/a", dir + "/sub/hard");
  EXPECT_OK(linked);
  EXPECT_EQ(std::filesystem::hard_link_count(dir + "/sub/a"), 2U);
  const auto symlinked = co_await client.symlink("a", dir + "/sub/soft");
  EXPECT_OK(symlinked);
  EXPECT_EQ(std::filesystem::read_symlink(dir + "/sub/soft"), "a");
  const auto target = co_await client.readlink(dir + "/sub/soft");
  EXPECT_EQ(target.value_or(""), "a");
  const auto resolved = co_await client.realpath(dir + "/sub/../sub/a");
  EXPECT_EQ(resolved.value_or(""), std::filesystem::canonical(dir + "/sub/a").string());

  put(dir + "/sub/b", "B");
  const auto refused = co_await client.rename(dir + "/sub/a", dir + "/sub/b");
  EXPECT_FALSE(refused);
  const auto moved = co_await client.rename(dir + "/sub/a", dir + "/sub/c");
  EXPECT_OK(moved);
  const auto replaced = co_await client.posix_rename(dir + "/sub/c", dir + "/sub/b");
  EXPECT_OK(replaced);
  EXPECT_EQ(get(dir + "/sub/b"), "A");

  const auto full = co_await client.rmdir(dir + "/sub");
  EXPECT_FALSE(full);
  for (const char* name : {"/sub/b", "/sub/hard", "/sub/soft"}) {
    const auto removed = co_await client.remove(dir + name);
    EXPECT_OK(removed);
  }
  const auto gone = co_await client.rmdir(dir + "/sub");
  EXPECT_OK(gone);
  EXPECT_FALSE(std::filesystem::exists(dir + "/sub"));
}
TEST_F(SftpServer, ManagesNames) { with_client(check_names); }

Task<void> check_listing(Client& client, std::string dir) {
  constexpr int kNames = 1000;
  for (int i = 0; i < kNames; ++i) put(dir + "/n" + std::to_string(i), std::string(i % 7, 'x'));
  const auto handle = co_await client.opendir(dir);
  EXPECT_OK(handle);
  std::vector<std::string> names;
  while (true) {
    const auto some = co_await client.readdir(*handle);
    EXPECT_OK(some);
    if (!some || some->empty()) break;
    for (const sftp::DirEntry& entry : *some) {
      EXPECT_TRUE(S_ISREG(entry.attrs.permissions));
      EXPECT_EQ(entry.attrs.size, std::stoul(entry.name.substr(1)) % 7);
      names.push_back(entry.name);
    }
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kNames));
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  const auto closed = co_await client.close(*handle);
  EXPECT_OK(closed);
}
TEST_F(SftpServer, ListsDirectories) { with_client(check_listing); }

Task<void> check_users(Client& client, std::string /*dir*/) {
  const passwd* user = ::getpwuid(::getuid());
  EXPECT_NE(user, nullptr);
  const std::string name = user->pw_name;
  const std::string home = std::filesystem::canonical(user->pw_dir);
  const std::string group = ::getgrgid(0)->gr_name;
  const auto by_name = co_await client.home_directory(name);
  EXPECT_EQ(by_name.value_or(error_of(by_name)), home);
  const auto expanded = co_await client.expand_path("~" + name);
  EXPECT_EQ(expanded.value_or(error_of(expanded)), home);
  const std::vector<std::uint32_t> uids = {::getuid(), 4294967000U};
  const std::vector<std::uint32_t> gids = {0};
  const auto names = co_await client.users_groups_by_id(uids, gids);
  EXPECT_OK(names);
  const sftp::UserGroupNames found = names.value_or(sftp::UserGroupNames());
  EXPECT_EQ(found.users, (std::vector<std::string>{name, ""}));
  EXPECT_EQ(found.groups, std::vector<std::string>{group});
}
TEST_F(SftpServer, KnowsUsersAndTheirHomes) { with_client(check_users); }

Task<void> check_statvfs(Client& client, std::string dir) {
  struct statvfs local {};
  EXPECT_EQ(::statvfs(dir.c_str(), &local), 0);
  const auto by_path = co_await client.statvfs(dir);
  EXPECT_OK(by_path);
  const sftp::StatVfs remote = by_path.value_or(sftp::StatVfs());
  EXPECT_EQ(remote.fragment_size, local.f_frsize);
  EXPECT_EQ(remote.blocks, local.f_blocks);
  EXPECT_EQ(remote.name_max, local.f_namemax);
  put(dir + "/f", "");
  const auto handle = co_await client.open(dir + "/f", sftp::kOpenRead, no_attrs);
  const auto by_handle = co_await client.fstatvfs(*handle);
  EXPECT_EQ(by_handle.value_or(sftp::StatVfs()).blocks, local.f_blocks);
}
TEST_F(SftpServer, ReportsTheFilesystem) { with_client(check_statvfs); }

Task<void> check_pipeline(Client& client, std::string dir) {
  put(dir + "/f", random_text(1'000'000));
  const std::string expected = get(dir + "/f");
  const auto handle = co_await client.open(dir + "/f", sftp::kOpenRead, no_attrs);
  constexpr std::size_t kReads = 500;
  std::vector<std::string> buffers;
  std::vector<sftp::Call<std::size_t>> calls;
  std::vector<std::size_t> offsets;
  std::mt19937 random(9);
  for (std::size_t i = 0; i < kReads; ++i) {
    buffers.emplace_back(1 + random() % 40'000, '\0');
    offsets.push_back(random() % 990'000);
  }
  for (std::size_t i = 0; i < kReads; ++i) {
    calls.push_back(client.read(*handle, offsets[i], writable(buffers[i]), expected.size()));
    // Every third is given up at once.
    if (i % 3 == 0) calls.back().forget();
  }
  for (std::size_t i = 0; i < kReads; ++i) {
    if (i % 3 == 0) continue;
    sftp::Call<std::size_t>& call = calls[i];
    const auto bytes = co_await call;
    EXPECT_OK(bytes);
    EXPECT_TRUE(buffers[i].substr(0, bytes.value_or(0)) ==
                expected.substr(offsets[i], buffers[i].size()));
  }
}
TEST_F(SftpServer, AnswersHundredsOfRequestsInFlight) { with_client(check_pipeline); }

}  // namespace
}  // namespace sftpfs::test
