// See world.h.
#include "sim/world.h"

#include <algorithm>
#include <chrono>

#include "runtime/hop.h"
#include "sim/workload.h"

namespace sftpfs::sim {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kRoot = "/srv";
constexpr unsigned kReadOnlyFiles = 2;
// Longer than a silent server and the longest back-off can take together, a few times over.
constexpr Duration kPatience = std::chrono::minutes(30);

fs::Options options_of(const Scenario& scenario, Random random) {
  fs::Options options;
  options.remote_directory = kRoot;
  options.max_conns = static_cast<unsigned>(random.between(1, 3));
  options.workers = scenario.two_workers && options.max_conns > 1 && random.one_in(4) ? 2 : 1;
  options.block_size_bytes = 4096;
  options.cache_size_bytes = options.block_size_bytes * random.between(2, 16);
  options.dirty_bytes_max = random.one_in(4) ? 6'000 : 64'000;
  options.sync_writes = random.one_in(16);
  options.stripe_always = random.one_in(2);
  if (options.stripe_always) {
    options.stripe_after_bytes = random.between(1, 8) * 512;
    options.stripe_bytes = options.block_size_bytes;
  }
  options.close_to_open = !random.one_in(4);
  options.listings_serve_opendir = !options.close_to_open;
  if (scenario.ahead) {
    options.durability = fs::Durability::kFsync;
    options.close_to_open = false;
    options.listings_serve_opendir = true;
    options.sync_writes = false;
    if (random.one_in(2)) options.absent_lifetime = options.attr_lifetime_max;
  }
  return options;
}

ServerConfig server_config_of(Random random) {
  ServerConfig config;
  constexpr std::uint32_t kUmasks[] = {022, 0, 077};
  config.umask = kUmasks[random.below(3)];
  constexpr std::size_t kTransfers[] = {32768, 2048, 261120};
  config.transfer_bytes_max = kTransfers[random.below(3)];
  config.names_per_readdir = random.one_in(2) ? 100 : random.between(1, 6);
  config.fsync = !random.one_in(8);
  return config;
}

NetworkConfig network_config_of(const Scenario& scenario, Random random) {
  NetworkConfig config;
  config.seed = random.next();
  config.faults = scenario.fault_kinds;
  constexpr Duration kLatencies[] = {milliseconds(1), milliseconds(5), milliseconds(80)};
  config.latency_max = kLatencies[random.below(3)];
  config.latency_min = random.one_in(2) ? microseconds(50) : config.latency_max / 2;
  if (random.one_in(4))
    config.output_bytes_max = static_cast<std::size_t>(random.between(500, 5'000));
  config.fault_distance_bytes = random.between(500, 4'000);
  config.siblings = random.one_in(2);
  return config;
}

runtime::Task<void> start(World& world, bool& started) {
  fs::OperationContext op;
  const Status done = co_await world.fs().start(op);
  if (!done) world.fail("start: " + done.error().describe());
  started = true;
}

runtime::Task<void> drain(World& world, bool& drained) {
  fs::OperationContext op;
  const Status done = co_await world.fs().drain(op);
  if (!done) world.fail("drain: " + done.error().describe());
  drained = true;
}

}  // namespace

World::World(const Scenario& scenario, std::uint64_t seed, bool traced)
    : scenario_(scenario),
      seed_(seed),
      random_(seed),
      trace_(clock_, traced),
      server_(clock_, server_config_of(Random(seed + 1))),
      connector_(std::make_shared<SimConnector>()),
      shared_(options_of(scenario, Random(seed + 2)), clock_, connector_),
      events_(loop(0)),
      network_(events_, server_, network_config_of(scenario, Random(seed + 3)), trace_),
      filesystem_(shared_),
      reference_(kRoot) {
  connector_->bind(network_);
  clock_.advance(hours(1000));
  last_end_ = now();
}

World::~World() = default;

void World::fail(std::string what) {
  if (failed()) return;
  trace_.add("FAILURE: {}", what);
  failure_ = std::move(what);
}

void World::looked_up(std::uint64_t ino) {
  if (ino >= lookups_.size()) lookups_.resize(ino + 1);
  ++lookups_[ino];
}

void World::forget(std::uint64_t ino) {
  if (ino >= lookups_.size() || lookups_[ino] == 0) return;
  filesystem_.forget(ino, std::exchange(lookups_[ino], 0U));
}

bool World::enough() const {
  if (operations_ < scenario_.operations_min) return false;
  // Small messages meet few faults; there is an end to waiting for them.
  return network_.faults() >= scenario_.faults_min ||
         operations_ > 10ULL * scenario_.operations_min;
}

// What is there before the mount, on the server and in the reference.
void World::furnish() {
  ModelTree& tree = server_.tree();
  const std::uint32_t now = server_.now();
  const auto directory = [&](RefNode& parent, const std::string& name) {
    const RefPtr made = reference_.add(parent, name, RefType::kDirectory, 0755);
    const std::string path = reference_.path(parent, name);
    tree.mkdir(path, 0755, now);
    ModelRef node;
    tree.find(path, false, node);
    node->mode = made->mode_with_type();
    return made;
  };
  tree.mkdir(kRoot, 0755, now);
  ModelRef root;
  tree.find(kRoot, false, root);
  root->mode = reference_.root()->mode_with_type();
  common_ = directory(*reference_.root(), "common");
  for (unsigned i = 0; i < kReadOnlyFiles; ++i) {
    read_only_names_.push_back("r" + std::to_string(i));
    const RefPtr file = reference_.add(*common_, read_only_names_.back(), RefType::kFile, 0644);
    file->content.resize(random_.between(0, 20'000));
    random_.fill(file->content);
    ModelTree::OpenHow how;
    how.write = how.create = true;
    ModelRef node;
    bool created = false;
    tree.open(reference_.path(*common_, read_only_names_.back()), how, now, node, created);
    node->content = file->content;
    node->mode = file->mode_with_type();
  }
  const unsigned apps = static_cast<unsigned>(random_.between(1, 4));
  for (unsigned i = 0; i < apps; ++i) {
    const RefPtr home = directory(*reference_.root(), "home" + std::to_string(i));
    apps_.push_back(std::make_unique<App>(*this, i, home, Random(random_.next())));
  }
  reference_.effects().clear();
  server_.effects().clear();
}

bool World::turn_loops() {
  bool any = false;
  for (const auto& worker : shared_.pool.workers()) any = worker->loop().run_ready() || any;
  return any;
}

template <class Done>
bool World::let_run(Done done, Duration patience) {
  while (!failed()) {
    while (turn_loops()) {
    }
    if (done()) return true;
    std::optional<TimePoint> next;
    for (const auto& worker : shared_.pool.workers()) {
      const std::optional<TimePoint> deadline = worker->loop().next_deadline();
      if (deadline && (!next || *deadline < *next)) next = deadline;
    }
    if (!next || *next > last_end_ + patience) {
      fail("an operation hangs");
      break;
    }
    if (*next > now()) clock_.advance(*next - now());
  }
  return false;
}

bool World::run() {
  furnish();
  bool started = false;
  loop(0).post([this, &started] { runtime::spawn(start(*this, started)); });
  if (!let_run([&started] { return started; }, kPatience)) return false;

  network_.begin_faults();
  for (std::size_t i = 0; i < apps_.size(); ++i) {
    App& app = *apps_[i];
    home_of(i).post([&app] { runtime::spawn(app.run()); });
  }
  const auto all_ended = [this] {
    return std::all_of(apps_.begin(), apps_.end(), [](const auto& app) { return app->ended(); });
  };
  if (!let_run(all_ended, kPatience)) return false;

  network_.heal();
  last_end_ = now();
  for (std::size_t i = 0; i < apps_.size(); ++i) {
    App& app = *apps_[i];
    home_of(i).post([&app] { app.may_close(); });
  }
  const auto all_closed = [this] {
    return std::all_of(apps_.begin(), apps_.end(), [](const auto& app) { return app->closed(); });
  };
  if (!let_run(all_closed, kPatience)) return false;
  bool drained = false;
  loop(0).post([this, &drained] { runtime::spawn(drain(*this, drained)); });
  if (!let_run([&drained] { return drained; }, kPatience)) return false;
  check_end();
  return !failed();
}

void World::check_end() {
  // What nobody waits for any more, as the CLOSE of a handle, still arrives.
  const TimePoint until = now() + seconds(200);
  last_end_ = now();
  let_run([this, until] { return now() >= until; }, seconds(250));
  if (failed()) return;
  for (std::uint64_t ino = 0; ino < lookups_.size(); ++ino) forget(ino);
  const std::string difference = reference_.difference(server_.tree());
  if (!difference.empty()) return fail(difference);
  const std::string effects = EffectLog::difference(server_.effects(), reference_.effects());
  if (!effects.empty()) return fail("changes of names:\n" + effects);
  if (network_.handles_on_live_connections() != 0) return fail("handles are left open");
  if (shared_.files.size() != 0) return fail("open files are left");
  if (shared_.directories.size() != 0) return fail("open directories are left");
  for (const fs::InodeRef& inode : shared_.inodes.all()) {
    if (inode == shared_.inodes.root()) continue;
    const Result<std::string> path = shared_.inodes.path(*inode);
    fail("an inode that the kernel has forgotten is left: " + path.value_or("without a name"));
  }
  for (const auto& worker : shared_.pool.workers()) {
    if (worker->dirty_bytes().in_use() != 0) return fail("bytes are left unsent");
  }
  shared_.cache.check_invariants();
  close_sessions();
}

void World::close_sessions() {
  for (const auto& slot : shared_.pool.slots()) {
    fs::SessionSlot* raw = slot.get();
    raw->loop().post([raw] { raw->session().close(); });
  }
  while (turn_loops()) {
  }
  events_.clear();
}

}  // namespace sftpfs::sim
