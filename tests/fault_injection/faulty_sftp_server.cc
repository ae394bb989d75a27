// faulty_sftp_server SCRIPT: a server that sshd starts for its sftp subsystem. It passes packets
// on to OpenSSH's sftp-server and back, except for those that the script (fault_script.h) picks.
//
//   client ──► requests ──► [script] ──► sftp-server ──► answers ──► client
//                              └─ fault: answered here ──────────────►┘
//
// Threads: one for each direction; both answer the client.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "fault_injection/fault_script.h"

extern char** environ;

namespace sftpfs::test {
namespace {

constexpr const char* kRealServer = "/usr/lib/openssh/sftp-server";
constexpr std::uint8_t kStatusPacket = 101;
constexpr std::uint8_t kExtendedPacket = 200;
constexpr std::uint8_t kExtendedReplyPacket = 201;
constexpr std::size_t kIdEnd = 5;  // type and request number
constexpr std::uint32_t kPacketMax = 1 << 20;

bool read_all(int fd, char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::read(fd, into, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    into += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::uint32_t number_at(const std::string& packet, std::size_t at) {
  std::uint32_t big_endian = 0;
  if (at + sizeof(big_endian) <= packet.size()) {
    std::memcpy(&big_endian, packet.data() + at, sizeof(big_endian));
  }
  return ntohl(big_endian);
}

std::string number(std::uint32_t value) {
  const std::uint32_t big_endian = htonl(value);
  return {reinterpret_cast<const char*>(&big_endian), sizeof(big_endian)};
}

std::string long_number(std::uint64_t value) {
  return number(static_cast<std::uint32_t>(value >> 32)) +
         number(static_cast<std::uint32_t>(value));
}

std::string text(std::string_view bytes) {
  return number(static_cast<std::uint32_t>(bytes.size())) + std::string(bytes);
}

// Without the length in front.
std::optional<std::string> read_packet(int fd) {
  std::string length(sizeof(std::uint32_t), '\0');
  if (!read_all(fd, length.data(), length.size())) return std::nullopt;
  const std::uint32_t size = number_at(length, 0);
  if (size < 1 || size > kPacketMax) return std::nullopt;
  std::string packet(size, '\0');
  if (!read_all(fd, packet.data(), packet.size())) return std::nullopt;
  return packet;
}

Request kind_of(const std::string& packet) {
  const auto type = static_cast<std::uint8_t>(packet[0]);
  switch (static_cast<Request>(type)) {
    case Request::kOpen:
    case Request::kClose:
    case Request::kRead:
    case Request::kWrite:
    case Request::kLstat:
    case Request::kFstat:
    case Request::kReaddir:
    case Request::kRemove:
    case Request::kStat: return static_cast<Request>(type);
    default: break;
  }
  if (type != kExtendedPacket) return Request::kOther;
  const std::string name = packet.substr(std::min(packet.size(), kIdEnd + sizeof(std::uint32_t)),
                                         number_at(packet, kIdEnd));
  if (name == "fsync@openssh.com") return Request::kFsync;
  if (name == "statvfs@openssh.com" || name == "fstatvfs@openssh.com") return Request::kStatvfs;
  return Request::kOther;
}

class Server {
 public:
  Server(FaultScript& script, int to_real, int from_real)
      : script_(script), to_real_(to_real), from_real_(from_real) {}

  void pass_requests() {
    while (const std::optional<std::string> packet = read_packet(STDIN_FILENO)) {
      const Request kind = kind_of(*packet);
      note_listing(kind, *packet);
      if (gets_stuck(kind)) wait_while_held(script_);
      const std::optional<std::string> fault = fault_for(kind, number_at(*packet, 1));
      const bool passed = fault ? answer(*fault) : write_all(to_real_, text(*packet));
      if (!passed) return;
    }
  }

  void pass_answers() {
    while (const std::optional<std::string> packet = read_packet(from_real_)) {
      const Attack attack = attack_now();
      const bool passed = attack == Attack::kNone ? answer(*packet) : answer(attack, *packet);
      if (!passed) return;
    }
  }

 private:
  Attack attack_now() {
    const Attack attack = script_.attack;
    if (attack == Attack::kNone || !script_.one_victim) return attack;
    std::int32_t nobody = 0;
    const std::int32_t self = ::getpid();
    const bool chosen = script_.victim.compare_exchange_strong(nobody, self) || nobody == self;
    return chosen ? attack : Attack::kNone;
  }

  void note_listing(Request kind, const std::string& request) {
    const std::lock_guard lock(mutex_);
    if (kind == Request::kReaddir) listings_.insert(number_at(request, 1));
  }

  bool answer(Attack attack, const std::string& packet) {
    const std::uint32_t count = ++script_.attacked;
    if (attack == Attack::kHangUp) ::_exit(0);
    const std::lock_guard lock(mutex_);
    const bool to_readdir = listings_.erase(number_at(packet, 1)) > 0;
    const std::string bytes = attacked(attack, packet, count, to_readdir);
    if (attack != Attack::kSlow) return write_all(STDOUT_FILENO, bytes);
    constexpr int kPauseMs = 5;
    for (const char byte : bytes) {
      if (!write_all(STDOUT_FILENO, {&byte, 1})) return false;
      ::poll(nullptr, 0, kPauseMs);
    }
    return true;
  }

  bool gets_stuck(Request kind) {
    const Request at = script_.stuck_at;
    if (at == Request::kNone || (at != Request::kAny && at != kind)) return false;
    if (script_.spared == 0) return true;
    --script_.spared;
    return false;
  }

  std::optional<std::string> fault_for(Request kind, std::uint32_t id) {
    if (kind == script_.target && ++script_.seen - script_.first < script_.count) {
      ++script_.injected;
      return std::string(1, static_cast<char>(kStatusPacket)) + number(id) +
             number(static_cast<std::uint32_t>(script_.status.load())) + text("injected") +
             text("en");
    }
    if (kind != Request::kStatvfs || !script_.disk_is_full) return std::nullopt;
    // bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax
    std::string space(1, static_cast<char>(kExtendedReplyPacket));
    space += number(id);
    for (const std::uint64_t value : {4096, 4096, 1000, 0, 0, 1000, 1000, 1000, 1, 0, 255}) {
      space += long_number(value);
    }
    return space;
  }

  bool answer(const std::string& packet) {
    const std::lock_guard lock(mutex_);
    return write_all(STDOUT_FILENO, text(packet));
  }

  FaultScript& script_;
  const int to_real_;
  const int from_real_;
  std::mutex mutex_;                  // of standard output and what follows
  std::set<std::uint32_t> listings_;  // READDIRs that are to be answered
};

int serve(FaultScript& script) {
  std::array<int, 2> requests{};
  std::array<int, 2> answers{};
  if (::pipe2(requests.data(), O_CLOEXEC) != 0 || ::pipe2(answers.data(), O_CLOEXEC) != 0) return 1;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, requests[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, answers[1], STDOUT_FILENO);
  std::string name = kRealServer;
  std::array<char*, 2> words{name.data(), nullptr};
  pid_t real = -1;
  const int failed = ::posix_spawn(&real, kRealServer, &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(requests[0]);
  ::close(answers[1]);
  if (failed != 0) return 1;
  Server server(script, requests[1], answers[0]);
  std::thread answering([&server] { server.pass_answers(); });
  server.pass_requests();
  // The real server ends with its input, after it has worked on all of it.
  ::close(requests[1]);
  answering.join();
  int status = 0;
  ::waitpid(real, &status, 0);
  return 0;
}

}  // namespace
}  // namespace sftpfs::test

int main(int argc, char** argv) {
  sftpfs::test::FaultScript* script = argc == 2 ? sftpfs::test::map_script(argv[1]) : nullptr;
  if (script == nullptr) {
    std::fputs("usage: faulty_sftp_server SCRIPT\n", stderr);
    return 1;
  }
  return sftpfs::test::serve(*script);
}
