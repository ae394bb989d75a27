// A big upload over a long line: spread over channels of one connection, over connections where the
// server wants no further channel, and whole when the connection is cut in the middle.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "integration/mounted_test.h"
#include "integration/pattern.h"
#include "support/relay.h"

namespace sftpfs::test {
namespace {

constexpr std::size_t kMib = 1 << 20;
constexpr std::size_t kPieceBytes = 8 * kMib;
// A channel's 2 MiB take a round trip of 50 ms, so anything that sends 40 MiB/s is bound by them.
constexpr std::size_t kBytesMax = 512 * kMib;

class Upload : public testing::Test {
 protected:
  explicit Upload(const std::vector<std::string>& sshd_config = {}) : server_(with(sshd_config)) {}

  TestMount mount(int max_conns) const {
    MountOptions options;
    options.config.max_conns = max_conns;
    options.port = relay_.port();
    return TestMount(server_, options);
  }
  void write_piece(const UniqueFd& fd) {
    std::vector<char> bytes(kPieceBytes);
    pattern_.fill(written_, bytes);
    ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    written_ += bytes.size();
  }
  std::uint64_t times_spread(const TestMount& mounted) const {
    const auto count = mounted.counter("stripings");
    EXPECT_TRUE(count) << "no statistics in the log:\n" << mounted.log();
    return count.value_or(0);
  }
  void write_until_spread(const TestMount& mounted, const UniqueFd& fd) {
    while (times_spread(mounted) == 0) {
      ASSERT_LT(written_, kBytesMax) << "never spread";
      ASSERT_NO_FATAL_FAILURE(write_piece(fd));
    }
  }
  void expect_right_bytes_on_the_server() const {
    std::ifstream file(server_.root() + "/file", std::ios::binary);
    std::vector<char> bytes(kPieceBytes);
    for (std::uint64_t at = 0; at < written_; at += bytes.size()) {
      ASSERT_TRUE(file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) << at;
      ASSERT_TRUE(pattern_.matches(at, bytes)) << at;
    }
    EXPECT_EQ(file.peek(), std::ifstream::traits_type::eof());
  }
  static UniqueFd create(const TestMount& mounted) {
    return UniqueFd(::open(mounted.file("file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  }
  static ServerOptions with(const std::vector<std::string>& config) {
    ServerOptions options;
    options.config = config;
    return options;
  }
  static RelayOptions far_away() {
    RelayOptions options;
    options.delay_to_server = options.delay_to_client = std::chrono::milliseconds(25);
    return options;
  }

  TestServer server_;
  Relay relay_{server_.port(), far_away()};
  const Pattern pattern_{19};
  std::uint64_t written_ = 0;
};

TEST_F(Upload, IsSpreadOverChannelsOfOneConnection) {
  const TestMount mounted = mount(4);
  const UniqueFd fd = create(mounted);
  write_until_spread(mounted, fd);
  for (int i = 0; i < 3; ++i) write_piece(fd);
  ASSERT_EQ(::fsync(fd.get()), 0);
  expect_right_bytes_on_the_server();
  EXPECT_EQ(relay_.stats().connections, 1U);
}

TEST_F(Upload, IsWholeThoughItsConnectionIsCutWhileItIsSpread) {
  const TestMount mounted = mount(1);
  const UniqueFd fd = create(mounted);
  write_until_spread(mounted, fd);
  for (int i = 0; i < 3; ++i) {
    write_piece(fd);
    relay_.cut(CutMode::kReset);
    write_piece(fd);
  }
  ASSERT_EQ(::fsync(fd.get()), 0);
  expect_right_bytes_on_the_server();
}

class UploadToAServerOfOneChannel : public Upload {
 protected:
  UploadToAServerOfOneChannel() : Upload({"MaxSessions 1"}) {}
};

TEST_F(UploadToAServerOfOneChannel, IsSpreadOverConnections) {
  const TestMount mounted = mount(4);
  const UniqueFd fd = create(mounted);
  write_until_spread(mounted, fd);
  write_piece(fd);
  ASSERT_EQ(::fsync(fd.get()), 0);
  expect_right_bytes_on_the_server();
  EXPECT_GT(relay_.stats().connections, 1U);
}

TEST_F(UploadToAServerOfOneChannel, GoesOverOneConnectionWhereThatIsAll) {
  const TestMount mounted = mount(1);
  const UniqueFd fd = create(mounted);
  for (int i = 0; i < 4; ++i) write_piece(fd);
  ASSERT_EQ(::fsync(fd.get()), 0);
  expect_right_bytes_on_the_server();
  EXPECT_EQ(times_spread(mounted), 0U);
}

}  // namespace
}  // namespace sftpfs::test
