// App: its life, and how answers are judged. See workload.h.
#include "sim/workload.h"

#include <fmt/core.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "runtime/hop.h"

namespace sftpfs::sim {
namespace {

// Everything queued before it on this connection has been executed when it is answered: the bulk
// queue comes last. A connection that is lost executes nothing any more (network.h).
runtime::Task<bool> barrier(fs::SessionSlot& slot) {
  const std::shared_ptr<sftp::Client> client = slot.session().current();
  if (!client) co_return true;
  sftp::Call<sftp::Attrs> call = client->stat("/", sftp::Queue::kBulk);
  const Result<sftp::Attrs> answer = co_await call;
  co_return answer.has_value();
}

}  // namespace

App::Wait::Wait(App& app, bool interruptible) : timer_(*runtime::Loop::current()) {
  if (!interruptible || !app.world_.scenario().interrupts || !app.one_in(12)) return;
  const auto cancel = op.cancel;
  const std::uint64_t longest_us = app.one_in(4) ? 10'000'000 : 20'000;
  timer_.start_after(std::chrono::microseconds(app.below(longest_us)),
                     [cancel] { cancel->cancel(runtime::CancelReason::kInterrupted); });
}

App::App(World& world, unsigned number, RefPtr home, Random random)
    : world_(world), fs_(world.fs()), number_(number), home_(std::move(home)), random_(random) {}

runtime::Task<void> App::run() {
  while (!world_.enough() && !world_.failed()) {
    runtime::Task<void> operation = step();
    co_await std::move(operation);
    world_.operation_ended();
    if (one_in(8)) forget_one();
    if (one_in(16)) {
      const Duration pause = std::chrono::milliseconds(below(one_in(8) ? 8000 : 50));
      const Status slept = co_await runtime::sleep_for(pause, nullptr);
      static_cast<void>(slept);
    }
  }
  ended_ = true;
  while (!closing_) {
    co_await may_close_.wait();
  }
  co_await close_all();
  closed_ = true;
}

void App::may_close() {
  closing_ = true;
  may_close_.notify_all();
}

runtime::Task<void> App::close_all() {
  while (!descriptors_.empty() && !world_.failed()) {
    co_await close(descriptors_.size() - 1, false);
  }
}

// Begins one operation; it runs when it is awaited.
runtime::Task<void> App::step() {
  const std::uint64_t choice = below(100);
  if (choice < 4) return mkdir();
  if (choice < 7) return remove(true);
  if (choice < 11) return remove(false);
  if (choice < 16) return rename();
  if (choice < 18) return symlink();
  if (choice < 20) return make_link();
  if (choice < 22) return readlink();
  if (choice < 28) return change();
  if (choice < 31) return list();
  if (choice < 32) return statfs();
  if (choice < 35) return read_shared();
  if (choice < 39) return stat();
  if (choice < 51 || descriptors_.empty()) return open();
  if (choice < 60) return close(below(descriptors_.size()), true);
  if (choice < 64) return fstat();
  if (choice < 69) return sync(choice < 67);
  if (choice < 84) return read();
  return write();
}

void App::fail(const std::string& what) {
  world_.fail(fmt::format("application {}: {}", number_, what));
}

App::Verdict App::judge(const std::string& what, int error, int expected, const Wait& wait) {
  if (world_.traced()) {
    world_.trace().add("  app {}: {}: {}", number_, what,
                       error == 0 ? std::string("ok") : std::string(::strerrorname_np(error)));
  }
  if (error == EINTR && wait.interrupted()) return Verdict::kInterrupted;
  if (error != expected) {
    fail(fmt::format("{}: {} ({}), expected {} ({})", what, error,
                     error == 0 ? "ok" : ::strerrorname_np(error), expected,
                     expected == 0 ? "ok" : ::strerrorname_np(expected)));
  }
  return error == 0 ? Verdict::kDone : Verdict::kRefused;
}

bool App::may_be_stale(const Descriptor& descriptor) const {
  return descriptor.node->names == 0 && world_.network().losses() > descriptor.losses_at_open;
}

// Whether bytes may have been lost with another descriptor of the removed file.
bool App::in_doubt(const Descriptor& descriptor) const {
  return descriptor.node->uncertain ||
         (may_be_stale(descriptor) && descriptor.node->open_writers > 0);
}

App::Verdict App::judge(const std::string& what, int error, int expected, const Wait& wait,
                        const Descriptor& descriptor) {
  if (error == ESTALE && may_be_stale(descriptor)) {
    expected = ESTALE;
    descriptor.node->uncertain = true;
  }
  return judge(what, error, expected, wait);
}

// Until everything that was sent has been answered, also what somebody interrupted has left behind.
runtime::Task<void> App::settle() {
  const std::atomic<std::uint64_t>& left_behind = world_.shared().counters.left_behind;
  bool settled = false;
  while (!settled) {
    for (const auto& slot : world_.shared().pool.slots()) {
      const bool answered = co_await runtime::run_on(slot->loop(), barrier(*slot));
      static_cast<void>(answered);
    }
    settled = left_behind == 0 && world_.shared().journal.pending() == 0;
    if (!settled) {
      constexpr Duration kLookAgain = std::chrono::milliseconds(20);  // simulated
      const Status slept = co_await runtime::sleep_for(kLookAgain, nullptr);
      static_cast<void>(slept);
    }
  }
}

ModelRef App::on_server(const RefNode& directory, const std::string& name) const {
  ModelRef node;
  const std::string path = world_.reference().path(directory, name);
  return world_.server().tree().find(path, false, node) == 0 ? node : nullptr;
}

namespace {

const RefNode* find_parent(const RefNode& directory, const RefNode& wanted, std::string& name) {
  for (const RefEntry& entry : directory.entries) {
    if (entry.node.get() == &wanted) {
      name = entry.name;
      return &directory;
    }
    const RefNode* found = find_parent(*entry.node, wanted, name);
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace

ModelRef App::on_server(const RefPtr& node) const {
  std::string name;
  const RefNode* parent = find_parent(*world_.reference().root(), *node, name);
  return parent == nullptr ? nullptr : on_server(*parent, name);
}

}  // namespace sftpfs::sim
