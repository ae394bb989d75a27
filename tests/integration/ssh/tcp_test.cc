// Which address is dialled: the one the name has now, and the next when that one does not answer.
#include "ssh/tcp.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

#include "integration/ssh/ssh_server.h"
#include "support/containment.h"
#include "support/deadline.h"
#include "support/temp_dir.h"

namespace sftpfs::test {
namespace {

constexpr const char* kName = "moving.sftpfs.test";
constexpr const char* kHostsFile = "/etc/hosts";

// Listens on one IPv4 address, or on all (INADDR_ANY).
class Listener {
 public:
  explicit Listener(in_addr_t address) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(address);
    socklen_t size = sizeof(name);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), size), 0);
    EXPECT_EQ(::listen(socket_.get(), SOMAXCONN), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
    port_ = ntohs(name.sin_port);
  }
  std::uint16_t port() const { return port_; }

 private:
  UniqueFd socket_;
  std::uint16_t port_ = 0;
};

// A /etc/hosts of the test's own, in its own mount namespace.
class Addresses : public testing::Test {
 protected:
  void SetUp() override {
    if (!in_private_namespaces()) GTEST_SKIP() << "needs a mount namespace of its own";
    set("127.0.0.1");
    ASSERT_EQ(::mount(file_.c_str(), kHostsFile, nullptr, MS_BIND, nullptr), 0);
    mounted_ = true;
  }
  void TearDown() override {
    const bool gone = !mounted_ || ::umount(kHostsFile) == 0;
    EXPECT_TRUE(gone);
  }
  // The addresses of kName, by blanks apart.
  void set(const std::string& addresses) {
    std::ofstream hosts(file_);
    for (std::size_t at = 0; at < addresses.size();) {
      const std::size_t end = std::min(addresses.find(' ', at), addresses.size());
      hosts << addresses.substr(at, end - at) << ' ' << kName << '\n';
      at = end + 1;
    }
  }
  // The address that was reached.
  static std::string dial(std::uint16_t port) {
    const ssh::Patience patience(std::chrono::seconds(20), nullptr);
    const auto tcp = ssh::tcp_connect({kName, port}, patience);
    return tcp ? tcp->address : tcp.error().describe();
  }

  TempDir directory_;
  const std::string file_ = directory_.file("hosts");
  bool mounted_ = false;
};

TEST_F(Addresses, EachAttemptAsksForTheAddressAgain) {
  const Listener everywhere(INADDR_ANY);
  EXPECT_EQ(dial(everywhere.port()), "127.0.0.1");
  set("127.0.0.2");
  EXPECT_EQ(dial(everywhere.port()), "127.0.0.2");
}

TEST_F(Addresses, AnAddressThatRefusesIsFollowedByTheNext) {
  const Listener first_only(INADDR_LOOPBACK);
  set("127.0.0.2 127.0.0.3 127.0.0.1");
  EXPECT_EQ(dial(first_only.port()), "127.0.0.1");
}

TEST_F(Addresses, IPv6AndIPv4AreTriedSideBySide) {
  const Listener first_only(INADDR_LOOPBACK);
  set("::1 127.0.0.1");
  EXPECT_EQ(dial(first_only.port()), "127.0.0.1");
}

TEST_F(Addresses, AnAddressThatIsSilentCostsAQuarterOfASecond) {
  const Listener first_only(INADDR_LOOPBACK);
  set("192.0.2.1 127.0.0.1");  // a network that is nobody's
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(dial(first_only.port()), "127.0.0.1");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST(TcpProgress, CountsWhatThePeerHasAcknowledged) {
  const TestServer server;
  const ssh::Patience patience(std::chrono::seconds(20), nullptr);
  const auto tcp = ssh::tcp_connect({"127.0.0.1", server.port()}, patience);
  ASSERT_TRUE(tcp) << why(tcp);
  const std::uint64_t before = ssh::tcp_bytes_acknowledged(tcp->socket.get());
  ASSERT_EQ(::send(tcp->socket.get(), "SSH-2.0-test\r\n", 14, MSG_NOSIGNAL), 14);
  const Deadline deadline(std::chrono::seconds(10));
  while (ssh::tcp_bytes_acknowledged(tcp->socket.get()) < before + 14 && !deadline.passed()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(ssh::tcp_bytes_acknowledged(tcp->socket.get()), before + 14);
}

}  // namespace
}  // namespace sftpfs::test
