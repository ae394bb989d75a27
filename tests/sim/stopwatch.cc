// See stopwatch.h.
#include "sim/stopwatch.h"

#include <chrono>
#include <utility>

namespace sftpfs::sim {
namespace {

using std::chrono::milliseconds;

constexpr Duration kOneWay = milliseconds(5);
constexpr const char* kRoot = "/srv";

fs::Options with_sessions(fs::Options chosen, unsigned sessions) {
  chosen.remote_directory = kRoot;
  chosen.max_conns = sessions;
  return chosen;
}

NetworkConfig fixed_line() {
  NetworkConfig config;
  config.latency_min = config.latency_max = kOneWay;
  config.split = false;
  return config;
}

}  // namespace

Stopwatch::Stopwatch(const ServerConfig& config, fs::Options options, unsigned sessions)
    : trace_(clock_, false),
      server_(clock_, config),
      connector_(std::make_shared<SimConnector>()),
      shared_(with_sessions(std::move(options), sessions), clock_, connector_),
      events_(shared_.pool.workers()[0]->loop()),
      network_(events_, server_, fixed_line(), trace_),
      filesystem_(shared_) {
  connector_->bind(network_);
  clock_.advance(std::chrono::hours(1000));
  tree().mkdir(kRoot, 0755, now_s());
  fs::OperationContext op;
  const Status started = run(filesystem_.start(op));
  SFTPFS_CHECK(started.has_value());
  lap();
}

Stopwatch::~Stopwatch() {
  const std::vector<std::unique_ptr<fs::SessionSlot>>& slots = shared_.pool.slots();
  runtime::Loop& loop = shared_.pool.workers()[0]->loop();
  for (const auto& slot : slots) {
    loop.post([raw = slot.get()] { raw->session().close(); });
  }
  while (loop.run_ready()) {
  }
  events_.clear();
}

void Stopwatch::add_file(const std::string& path, const std::string& content) {
  ModelTree::OpenHow how;
  how.write = how.create = true;
  how.mode = 0644;
  ModelRef node;
  bool created = false;
  tree().open(path, how, now_s(), node, created);
  ModelTree::write(*node, 0, content, now_s());
}

void Stopwatch::reconnect_to(std::size_t transfer_bytes_max) {
  server_.limit_transfers(transfer_bytes_max);
  network_.connections().back()->reset();
}

void Stopwatch::stall(std::size_t connection, unsigned round_trips) {
  network_.connections()[connection]->stall(clock_.now() + round_trips * 2 * kOneWay);
}

void Stopwatch::settle() {
  while (shared_.pool.workers()[0]->loop().run_ready()) {
  }
}

void Stopwatch::wait_half(unsigned half_round_trips) {
  const TimePoint until = clock_.now() + half_round_trips * kOneWay;
  bool over = false;
  runtime::Timer timer(shared_.pool.workers()[0]->loop());
  shared_.pool.workers()[0]->loop().post([&timer, &over, until, this] {
    timer.start_after(until - clock_.now(), [&over] { over = true; });
  });
  turn_until([&over] { return over; });
}

std::uint64_t Stopwatch::requests() const {
  std::uint64_t all = 0;
  for (const auto& connection : network_.connections()) {
    if (connection->alive()) all += connection->session().requests();
  }
  return all;
}

double Stopwatch::lap() {
  const Duration passed = clock_.now() - std::exchange(lap_begin_, clock_.now());
  return std::chrono::duration<double>(passed) / std::chrono::duration<double>(2 * kOneWay);
}

}  // namespace sftpfs::sim
