// World: everything of one schedule in one thread: the file system under test with its loops and
// sessions, the network, the server, the reference and the time, all made from one seed.
//
// Ownership: owns all of it. One that has failed is left to leak: operations may be suspended in
//            it, and they cannot be taken apart.
// Threads:   the one that made it.
// Limits:    an operation that does not end within kPatience of simulated time hangs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "fs/filesystem.h"
#include "runtime/task.h"
#include "sim/event_queue.h"
#include "sim/model_server.h"
#include "sim/network.h"
#include "sim/random.h"
#include "sim/reference.h"
#include "sim/trace.h"

namespace sftpfs::sim {

// What is tried in a schedule; the rest follows from its seed.
struct Scenario {
  unsigned fault_kinds = 0;  // bits of FaultKind
  unsigned faults_min = 0;   // the applications go on until there were as many
  unsigned operations_min = 200;
  bool interrupts = false;  // some waits of applications are cut short
  bool two_workers = true;  // in some schedules
  bool ahead = false;       // durability=fsync
};

class World {
 public:
  World(const Scenario& scenario, std::uint64_t seed, bool traced);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Runs the whole schedule; false: failure() tells why.
  bool run();
  const std::string& failure() const { return failure_; }
  std::uint64_t operations() const { return operations_; }

  const Scenario& scenario() const { return scenario_; }
  fs::Filesystem& fs() { return filesystem_; }
  fs::Shared& shared() { return shared_; }
  Network& network() { return network_; }
  ModelServer& server() { return server_; }
  Reference& reference() { return reference_; }
  Trace& trace() { return trace_; }
  TimePoint now() const { return clock_.now(); }
  bool traced() const { return trace_.enabled(); }

  // The first failure ends the schedule.
  void fail(std::string what);
  bool failed() const { return !failure_.empty(); }
  // An operation of an application has ended.
  void operation_ended() {
    ++operations_;
    last_end_ = now();
    network_.progress();
  }
  // Whether the applications may stop.
  bool enough() const;

  // What the kernel counts.
  void looked_up(std::uint64_t ino);
  void forget(std::uint64_t ino);

  // The reference's directory in which every application has names of its own.
  const RefPtr& common() const { return common_; }
  // Files that everybody reads and nobody changes.
  const std::vector<std::string>& read_only_names() const { return read_only_names_; }

 private:
  class Party;

  runtime::Loop& loop(unsigned index) { return shared_.pool.workers()[index]->loop(); }
  // The loop on which an application lives.
  runtime::Loop& home_of(std::size_t app) {
    return loop(static_cast<unsigned>(app % shared_.pool.workers().size()));
  }
  void furnish();
  // Lets time pass until `done`, at most `patience` after the last operation has ended.
  template <class Done>
  bool let_run(Done done, Duration patience);
  bool turn_loops();
  void check_end();
  void close_sessions();

  const Scenario scenario_;
  const std::uint64_t seed_;
  Random random_;
  ManualClock clock_;
  Trace trace_;
  ModelServer server_;
  std::shared_ptr<SimConnector> connector_;
  fs::Shared shared_;
  EventQueue events_;
  Network network_;
  fs::Filesystem filesystem_;
  Reference reference_;
  RefPtr common_;
  std::vector<std::string> read_only_names_;

  std::vector<std::unique_ptr<class App>> apps_;
  std::vector<std::uint32_t> lookups_;  // by number of inode
  std::string failure_;
  std::uint64_t operations_ = 0;
  TimePoint last_end_{};
};

}  // namespace sftpfs::sim
