// Close-to-open between two mounts of one directory, and somebody who works on the server itself:
// what was closed by any of them is what the next open of any of them reads. And what is not asked
// for at each open shows when its lifetime is over.
//
// SFTPFS_TEST_COHERENCE sets how many rounds there are (CI: 3,000; each some two milliseconds).
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "integration/mounted_test.h"

namespace sftpfs::test {
namespace {

constexpr int kFiles = 8;

int rounds() {
  const char* const wanted = std::getenv("SFTPFS_TEST_COHERENCE");
  return wanted == nullptr ? 3'000 : std::atoi(wanted);
}

std::string read_all(const std::string& path) {
  const std::ifstream in(path, std::ios::binary);
  if (!in) return "cannot open " + path;
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

enum class How { kTruncate, kInPlace, kReplace };

// Empty, or what went wrong.
std::string put(const std::string& path, How how, const std::string& content) {
  const std::string target = how == How::kReplace ? path + ".new" : path;
  const int flags = how == How::kInPlace ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC;
  UniqueFd fd(::open(target.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd) return "open " + target;
  const ssize_t written = ::write(fd.get(), content.data(), content.size());
  if (written != static_cast<ssize_t>(content.size())) return "write " + target;
  if (::close(fd.release()) != 0) return "close " + target;
  if (how == How::kReplace && ::rename(target.c_str(), path.c_str()) != 0) return "rename";
  return "";
}

class Coherence : public testing::Test {
 protected:
  std::unique_ptr<TestMount> mount(const std::vector<std::string>& extra = {}) {
    MountOptions options;
    options.extra = extra;
    return std::make_unique<TestMount>(server_, options);
  }
  TestServer server_;
};

// Contents mostly have the same size, so that only the time of the change tells them apart, if
// that.
TEST_F(Coherence, AnOpenReadsWhatWasClosedLastByWhomever) {
  const auto first = mount();
  const auto second = mount();
  const std::string places[] = {server_.root(), first->path(), second->path()};
  std::mt19937_64 random(7);
  std::vector<std::string> contents(kFiles);
  for (int i = 0; i < kFiles; ++i) {
    contents[i] = "00000000";
    ASSERT_EQ(put(server_.root() + "/" + std::to_string(i), How::kTruncate, contents[i]), "");
  }
  const int count = rounds();
  for (int round = 0; round < count; ++round) {
    const auto file = static_cast<std::size_t>(random() % kFiles);
    const std::string name = "/" + std::to_string(file);
    const auto how = static_cast<How>(random() % 3);
    std::string content = fmt::format("{:08}", round);
    if (random() % 8 == 0 && how != How::kInPlace) content += std::string(random() % 3000, 'x');
    if (how == How::kInPlace && contents[file].size() > content.size()) {
      content += contents[file].substr(content.size());
    }
    const std::string& writer = places[random() % 3];
    ASSERT_EQ(put(writer + name, how, content), "") << "round " << round;
    contents[file] = content;
    for (int readers = static_cast<int>(random() % 3); readers >= 0; --readers) {
      const std::string& reader = places[random() % 3];
      const auto read = static_cast<std::size_t>(random() % 2 == 0 ? file : random() % kFiles);
      ASSERT_EQ(read_all(reader + "/" + std::to_string(read)), contents[read])
          << "round " << round << ": " << reader << " after a change by " << writer;
    }
  }
}

TEST_F(Coherence, WithoutCloseToOpenAChangeShowsWithinTheLifetime) {
  using std::chrono::milliseconds;
  const auto lazy = mount({"nocto", "acmin=0.3", "acmax=0.3", "attr_timeout=0.1"});
  const auto strict = mount();
  const std::string name = "/file";
  for (int round = 0; round < 10; ++round) {
    const std::string content = fmt::format("{:08}", round);
    ASSERT_EQ(put(strict->path() + name, How::kTruncate, content), "");
    const Deadline deadline{milliseconds(600)};
    std::string seen;
    while (seen != content && !deadline.passed()) {
      seen = read_all(lazy->path() + name);
      std::this_thread::yield();
    }
    EXPECT_EQ(seen, content);
  }
}

}  // namespace
}  // namespace sftpfs::test
