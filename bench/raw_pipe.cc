// raw_pipe: moves one file through the project's own SSH and SFTP client, without a mount. What it
// reaches is the limit for a mount of the same transport and cipher.
//   raw_pipe get|put LOCAL_FILE SESSIONS WINDOW_MIB USER@HOST:/REMOTE_FILE [-o OPTIONS]
// LOCAL_FILE is mapped and must exist; its size is what is moved. The remote file of a put must
// exist, too. WINDOW_MIB is what each session keeps under way. Options are those of sftpfs.
// Says "ready" when everything is connected, starts at the next line of its input, says "done",
// and ends with its input.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/command_line.h"
#include "app/translate.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "sftp/client.h"
#include "ssh/connect.h"
#include "ssh/ctr_provider.h"
#include "ssh/libssh2_session.h"
#include "ssh/settle.h"

namespace {

using namespace sftpfs;

constexpr std::size_t kMib = 1 << 20;

class Mapping {
 public:
  static Result<Mapping> open(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) return fail(Error::system(errno, path));
    const auto size = static_cast<std::size_t>(info.st_size);
    // Populated now, so that page faults are not part of the measurement.
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
    if (memory == MAP_FAILED) return fail(Error::system(errno, path));
    return Mapping(std::shared_ptr<std::byte[]>(static_cast<std::byte*>(memory),
                                                [size](std::byte* at) { ::munmap(at, size); }),
                   size);
  }
  std::size_t size() const { return size_; }
  MutableByteSpan bytes(std::size_t offset, std::size_t count) const {
    return MutableByteSpan(memory_.get() + offset, count);
  }
  SharedBytes shared(std::size_t offset, std::size_t count) const {
    return SharedBytes(memory_, bytes(offset, count));
  }

 private:
  Mapping(std::shared_ptr<std::byte[]> memory, std::size_t size)
      : memory_(std::move(memory)), size_(size) {}
  std::shared_ptr<std::byte[]> memory_;
  std::size_t size_;
};

struct Order {
  bool put = false;
  std::string local;
  std::size_t sessions = 1;
  std::size_t window_bytes = 4 * kMib;
  std::string remote;
  ssh::Options ssh;
};

struct Session {
  std::unique_ptr<sftp::Client> client;
  sftp::Handle handle;
};

// All sessions take the file's pieces in turn, each as soon as it has room in its window.
class Transfer {
 public:
  Transfer(const Order& order, Mapping mapping) : order_(order), mapping_(std::move(mapping)) {}

  Status run() {
    std::vector<std::unique_ptr<runtime::ByteStream>> streams;
    ssh::Login login;
    for (std::size_t i = 0; i < order_.sessions; ++i) {
      Result<std::unique_ptr<runtime::ByteStream>> stream =
          ssh::connect(order_.ssh, login, nullptr, nullptr);
      if (!stream) return fail(stream.error());
      streams.push_back(std::move(*stream));
    }
    runtime::Loop loop(clock_);
    loop_ = &loop;
    loop.post([&] { runtime::spawn(everything(std::move(streams))); });
    loop.run();
    sessions_.clear();
    return status_;
  }

 private:
  runtime::Task<void> everything(std::vector<std::unique_ptr<runtime::ByteStream>> streams) {
    for (std::unique_ptr<runtime::ByteStream>& stream : streams) {
      const Status begun = co_await begin(std::move(stream));
      if (!begun) {
        end(begun);
        co_return;
      }
    }
    std::puts("ready");
    std::fflush(stdout);
    if (std::getchar() == EOF) {
      end({});
      co_return;
    }
    for (Session& session : sessions_) {
      const std::size_t piece = piece_bytes(session);
      for (std::size_t at = 0; at < order_.window_bytes; at += piece) {
        ++running_;
        runtime::spawn(lane(session));
      }
    }
  }

  runtime::Task<Status> begin(std::unique_ptr<runtime::ByteStream> stream) {
    Session session;
    Result<std::unique_ptr<sftp::Client>> client =
        co_await sftp::Client::start(std::move(stream), nullptr);
    if (!client) co_return fail(client.error());
    session.client = std::move(*client);
    session.client->set_receive_window(order_.window_bytes * 2);
    const std::uint32_t flags = order_.put ? sftp::kOpenWrite : sftp::kOpenRead;
    const sftp::Attrs unset;
    Result<sftp::Handle> handle = co_await session.client->open(order_.remote, flags, unset);
    if (!handle) co_return fail(handle.error());
    session.handle = *handle;
    sessions_.push_back(std::move(session));
    co_return Status();
  }

  std::size_t piece_bytes(const Session& session) const {
    const sftp::Limits& limits = session.client->limits();
    return static_cast<std::size_t>(order_.put ? limits.write_bytes_max : limits.read_bytes_max);
  }

  // One piece after the other, until there are none.
  runtime::Task<void> lane(Session& session) {
    const std::size_t piece = piece_bytes(session);
    while (status_ && next_ < mapping_.size()) {
      const std::size_t at = next_;
      const std::size_t count = std::min(piece, mapping_.size() - at);
      next_ += count;
      Status moved;
      if (order_.put) {
        Status written =
            co_await session.client->write(session.handle, at, mapping_.shared(at, count));
        moved = std::move(written);
      } else {
        const Result<std::size_t> read = co_await session.client->read(
            session.handle, at, mapping_.bytes(at, count), mapping_.size(), sftp::Queue::kBulk);
        if (!read) moved = fail(read.error());
      }
      if (!moved && status_) status_ = std::move(moved);
    }
    if (--running_ > 0) co_return;
    if (order_.put && status_ && sessions_.front().client->extensions().fsync) {
      Status synced = co_await sessions_.front().client->fsync(sessions_.front().handle);
      status_ = std::move(synced);
    }
    end(status_);
  }

  void end(Status status) {
    status_ = std::move(status);
    loop_->stop();
  }

  const Order& order_;
  Mapping mapping_;
  SteadyClock clock_;
  runtime::Loop* loop_ = nullptr;
  std::vector<Session> sessions_;
  std::size_t next_ = 0;
  std::size_t running_ = 0;
  Status status_;
};

std::optional<std::size_t> number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

Result<Order> read_order(int argc, char** argv) {
  if (argc < 6) return fail(ErrorCode::kInvalid, "see the head of raw_pipe.cc for its arguments");
  Order order;
  order.put = std::string_view(argv[1]) == "put";
  order.local = argv[2];
  const std::optional<std::size_t> sessions = number(argv[3]);
  const std::optional<std::size_t> window = number(argv[4]);
  if (!sessions || !window) return fail(ErrorCode::kInvalid, "SESSIONS and WINDOW_MIB are numbers");
  order.sessions = *sessions;
  order.window_bytes = *window * kMib;
  // As sftpfs itself would be called; the mount point is not looked at.
  std::vector<const char*> words{"sftpfs", argv[5], "/"};
  words.insert(words.end(), argv + 6, argv + argc);
  Result<app::CommandLine> line = app::parse_command_line(words);
  if (!line) return fail(line.error());
  order.remote = line->config.source.directory;
  Result<ssh::Options> options = app::ssh_options(line->config);
  if (!options) return fail(options.error());
  Result<ssh::Settled> settled = ssh::settle(std::move(*options), nullptr);
  if (!settled) return fail(settled.error());
  order.ssh = settled->options;
  return order;
}

Status run(int argc, char** argv) {
  const Result<Order> order = read_order(argc, argv);
  if (!order) return fail(order.error());
  if (Status library = ssh::libssh2_start(); !library) return library;
  const auto acceleration = ssh::CtrAcceleration::install();
  Result<Mapping> mapping = Mapping::open(order->local);
  if (!mapping) return fail(mapping.error());
  Transfer transfer(*order, std::move(*mapping));
  if (Status moved = transfer.run(); !moved) return moved;
  std::puts("done");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const Status status = run(argc, argv);
  if (status) return 0;
  fmt::print(stderr, "raw_pipe: {}\n", status.error().describe());
  return 1;
}
