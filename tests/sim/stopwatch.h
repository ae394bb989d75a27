// Stopwatch: a file system on a line with a fixed round trip, in simulated time. What an operation
// takes is the number of round trips that its caller waits for, exactly.
//
// Ownership: the test. Threads: its own.
// Limits:    one session unless more are asked for; the server needs no time, and the line is as
// wide as one likes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "fs/filesystem.h"
#include "runtime/task.h"
#include "sim/event_queue.h"
#include "sim/model_server.h"
#include "sim/network.h"
#include "sim/trace.h"

namespace sftpfs::sim {

class Stopwatch {
 public:
  // The server's tree has one directory, /srv, which is mounted.
  explicit Stopwatch(const ServerConfig& config = {}, fs::Options options = {},
                     unsigned sessions = 1);
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch();

  fs::Filesystem& fs() { return filesystem_; }
  fs::Shared& shared() { return shared_; }
  ModelTree& tree() { return server_.tree(); }
  std::uint32_t now_s() const { return server_.now(); }
  // Adds a file of the server's own.
  void add_file(const std::string& path, const std::string& content);

  // Runs `task` to its end.
  template <class T>
  T run(runtime::Task<T> task) {
    std::optional<T> result;
    shared_.pool.workers()[0]->loop().post(
        [&task, &result] { runtime::spawn(carry<T>(std::move(task), result)); });
    turn_until([&result] { return result.has_value(); });
    return std::move(*result);
  }
  // The connection breaks; the next one is to a server that takes and gives so much at a time.
  void reconnect_to(std::size_t transfer_bytes_max);
  std::size_t connections() const { return network_.connections().size(); }
  // Lets what goes on in the background end: `round_trips` of time pass.
  void wait(unsigned round_trips) { wait_half(2 * round_trips); }
  void wait_half(unsigned half_round_trips);
  // Nothing arrives over the connection of this number for so long.
  void stall(std::size_t connection, unsigned round_trips);
  // Runs what can be run without any time passing.
  void settle();

  // How many requests the server has seen.
  std::uint64_t requests() const;
  // How many round trips have passed since it was asked last.
  double lap();

 private:
  template <class T>
  static runtime::Task<void> carry(runtime::Task<T> task, std::optional<T>& result) {
    T value = co_await std::move(task);
    result.emplace(std::move(value));
  }
  template <class Done>
  void turn_until(Done done);

  ManualClock clock_;
  Trace trace_;
  ModelServer server_;
  std::shared_ptr<SimConnector> connector_;
  fs::Shared shared_;
  EventQueue events_;
  Network network_;
  fs::Filesystem filesystem_;
  TimePoint lap_begin_{};
};

template <class Done>
void Stopwatch::turn_until(Done done) {
  runtime::Loop& loop = shared_.pool.workers()[0]->loop();
  while (true) {
    while (loop.run_ready()) {
    }
    if (done()) return;
    const std::optional<TimePoint> next = loop.next_deadline();
    SFTPFS_CHECK(next.has_value());  // else it would wait for ever
    if (*next > clock_.now()) clock_.advance(*next - clock_.now());
  }
}

}  // namespace sftpfs::sim
