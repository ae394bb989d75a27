// See world.h.
#include "model/world.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "ssh/process_stream.h"

namespace sftpfs::model {
namespace {

constexpr const char* kServer = "/usr/lib/openssh/sftp-server";

fs::Options options_of(const Shape& shape, const std::string& directory) {
  fs::Options options;
  options.remote_directory = directory;
  // The clock is put forward while requests are on their way: nobody may be thought dead for that.
  options.ping_interval = options.greeting_timeout = std::chrono::hours(24 * 30);
  options.workers = shape.workers;
  options.max_conns = shape.max_conns;
  options.block_size_bytes = shape.block_size_bytes;
  options.cache_size_bytes = shape.cache_slots * shape.block_size_bytes;
  options.dirty_bytes_max = shape.dirty_bytes_max;
  options.stripe_always = shape.striped;
  if (shape.striped) {
    options.stripe_after_bytes = 2 * shape.block_size_bytes;
    options.stripe_bytes = shape.block_size_bytes;
  }
  if (shape.open_directory_bytes_max != 0) {
    options.open_directory_bytes_max = shape.open_directory_bytes_max;
  }
  return options;
}

std::vector<std::string> server_of(const Shape& shape) {
  if (shape.file_bytes_max == 0) return {kServer};
  // In blocks of 512 bytes; ignored, the signal becomes an error of write(2).
  const std::size_t blocks = shape.file_bytes_max / 512;
  return {"/bin/sh", "-c",
          "trap '' XFSZ; ulimit -f " + std::to_string(blocks) + "; exec " + kServer};
}

// A stream whose siblings are servers of their own, though not connections of their own.
class StreamWithSiblings final : public runtime::ByteStream {
 public:
  StreamWithSiblings(std::unique_ptr<runtime::ByteStream> stream, ServerConnector& connector)
      : stream_(std::move(stream)), connector_(connector) {}
  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override {
    return stream_->attach(loop, events);
  }
  Result<std::size_t> read(std::span<const iovec> into) override { return stream_->read(into); }
  Result<std::size_t> write(std::span<const iovec> from) override { return stream_->write(from); }
  bool output_pending() const override { return stream_->output_pending(); }
  void set_receive_window(std::size_t bytes) override { stream_->set_receive_window(bytes); }
  const std::string& description() const override { return stream_->description(); }
  bool may_have_siblings() const override { return true; }
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open_sibling(
      runtime::Cancel* cancel) override {
    return connector_.connect(cancel);
  }

 private:
  std::unique_ptr<runtime::ByteStream> stream_;
  ServerConnector& connector_;
};

}  // namespace

int scaled(int count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kSlower = 6;
#else
  constexpr int kSlower = 1;
#endif
  const char* times = std::getenv("SFTPFS_MODEL_TIMES");
  return count * (times == nullptr ? 1 : std::max(1, std::atoi(times))) / kSlower;
}

runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> ServerConnector::connect(
    runtime::Cancel* cancel) {
  static_cast<void>(cancel);
  Result<std::unique_ptr<ssh::ProcessStream>> stream =
      ssh::ProcessStream::spawn(command_, "localhost", "sftp-server");
  if (!stream) co_return fail(stream.error());
  {
    const std::lock_guard lock(mutex_);
    servers_.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, (*stream)->pid(), 0)));
  }
  std::unique_ptr<runtime::ByteStream> made = std::move(*stream);
  if (siblings_) made = std::make_unique<StreamWithSiblings>(std::move(made), *this);
  co_return std::move(made);
}

void ServerConnector::kill_servers() {
  const std::lock_guard lock(mutex_);
  for (const UniqueFd& server : servers_) {
    ::syscall(SYS_pidfd_send_signal, server.get(), SIGKILL, nullptr, 0);
  }
  servers_.clear();
}

World::World(const Shape& shape)
    : shape_(shape),
      directory_(temp_.make_dir("server")),
      sibling_(temp_.make_dir("reference")),
      connector_(std::make_shared<ServerConnector>(server_of(shape), shape.siblings)),
      shared_(options_of(shape, directory_), clock_, connector_),
      filesystem_(shared_) {
  shared_.pool.start_threads();
  fs::OperationContext op;
  const Status started = run(filesystem_.start(op));
  EXPECT_TRUE(started) << (started ? "" : started.error().describe());
}

World::~World() {
  shared_.pool.stop();
  filesystem_.discard_handles();
  shared_.cache.check_invariants();
}

void World::hangs() {
  std::fprintf(stderr, "an operation hangs\n");
  test::remove_tree(temp_.path());
  std::abort();
}

void World::settle() {
  // Twice: a job may have posted another one to a loop that was asked before.
  for (int round = 0; round < 2; ++round) {
    for (unsigned worker = 0; worker < shape_.workers; ++worker) {
      call(worker, [] { return true; });
    }
  }
}

namespace {

runtime::Task<Status> wait_until_ready(fs::SessionSlot& slot) {
  const Result<fs::ClientRef> client = co_await slot.session().ready(nullptr);
  co_return client ? Status() : fail(client.error());
}

}  // namespace

void World::open_sessions() {
  for (const auto& slot : shared_.pool.slots()) {
    const Status ready = wait(start(slot->worker().index(), wait_until_ready(*slot)));
    ASSERT_TRUE(ready) << ready.error().describe();
  }
}

std::size_t World::dirty_bytes() {
  std::size_t total = 0;
  for (unsigned worker = 0; worker < shape_.workers; ++worker) {
    fs::Worker& at = *shared_.pool.workers()[worker];
    total += call(worker, [&at] { return at.dirty_bytes().in_use(); });
  }
  return total;
}

void World::expect_idle() {
  // Directories that were listed ahead are kept, a limited number of them, for whoever opens them.
  fs::OperationContext op;
  EXPECT_TRUE(run(filesystem_.drain(op)));
  settle();
  // Those that are being listed are kept until the server has answered.
  const test::Deadline deadline{std::chrono::seconds(10)};
  while (shared_.inodes.size() > 1 && !deadline.passed()) settle();
  EXPECT_EQ(shared_.files.size(), 0U);
  EXPECT_EQ(shared_.directories.size(), 0U);
  EXPECT_EQ(shared_.inodes.size(), 1U) << "inodes that the kernel has forgotten are kept";
  EXPECT_EQ(dirty_bytes(), 0U);
  shared_.cache.check_invariants();
}

}  // namespace sftpfs::model
