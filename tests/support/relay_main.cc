// relay: the delaying relay as a programme, for benchmarks and for trying things out by hand.
//   relay LISTEN_PORT TARGET_PORT [--rtt-ms N] [--mbit N]
// Runs until SIGINT or SIGTERM. Prints what went through: at the end, and whenever it gets SIGUSR1.
#include <signal.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

#include "support/relay.h"
#include "support/test_error.h"

namespace {

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int usage() {
  std::fputs("usage: relay LISTEN_PORT TARGET_PORT [--rtt-ms N] [--mbit N]\n", stderr);
  return 1;
}

void print(const sftpfs::test::RelayStats& stats) {
  std::printf("connections=%llu bytes_to_server=%llu bytes_to_client=%llu peak_queued_bytes=%llu\n",
              static_cast<unsigned long long>(stats.connections),
              static_cast<unsigned long long>(stats.bytes_to_server),
              static_cast<unsigned long long>(stats.bytes_to_client),
              static_cast<unsigned long long>(stats.peak_queued_bytes));
  std::fflush(stdout);
}

int serve(std::uint16_t target_port, const sftpfs::test::RelayOptions& options) {
  // Blocked before the relay's thread starts, which inherits the mask.
  sigset_t waited_for;
  ::sigemptyset(&waited_for);
  ::sigaddset(&waited_for, SIGINT);
  ::sigaddset(&waited_for, SIGTERM);
  ::sigaddset(&waited_for, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &waited_for, nullptr);
  const sftpfs::test::Relay relay(target_port, options);
  std::printf("relaying 127.0.0.1:%u to 127.0.0.1:%u\n", relay.port(), target_port);
  std::fflush(stdout);
  int signal = SIGUSR1;
  while (signal == SIGUSR1) {
    ::sigwait(&waited_for, &signal);
    print(relay.stats());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc % 2 == 0) return usage();
  const auto listen_port = parse<std::uint16_t>(argv[1]);
  const auto target_port = parse<std::uint16_t>(argv[2]);
  if (!listen_port || !target_port) return usage();
  sftpfs::test::RelayOptions options;
  options.listen_port = *listen_port;
  for (int i = 3; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const auto value = parse<std::uint64_t>(argv[i + 1]);
    if (!value) return usage();
    if (name == "--rtt-ms") {
      options.delay_to_server = std::chrono::microseconds(*value * 500);
      options.delay_to_client = options.delay_to_server;
    } else if (name == "--mbit") {
      options.bytes_per_second = *value * 1'000'000 / 8;
    } else {
      return usage();
    }
  }
  try {
    return serve(*target_port, options);
  } catch (const sftpfs::test::TestError& error) {
    std::fprintf(stderr, "relay: %s\n", error.what());
    return 1;
  }
}
