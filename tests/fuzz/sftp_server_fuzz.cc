// Fuzzes the client's state machine with a server that answers at random: each byte of the input is
// a step. The client asks something, a request is answered rightly, wrongly, twice or not at all, a
// caller goes away, the network takes or brings little at a time, the stream ends.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "fuzz/fuzz_input.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "sftp/client.h"
#include "unit/sftp/fake_server.h"
#include "unit/sftp/fake_stream.h"

namespace sftpfs::test {
namespace {

using fuzz::require;
using StartResult = std::optional<Result<std::unique_ptr<sftp::Client>>>;

runtime::Task<void> start_into(std::unique_ptr<runtime::ByteStream> stream, StartResult& into) {
  auto client = co_await sftp::Client::start(std::move(stream), nullptr);
  into.emplace(std::move(client));
}

// A call that somebody waits for, whatever it yields.
class Waiting {
 public:
  template <class T>
  explicit Waiting(sftp::Call<T> call) {
    const auto shared = std::make_shared<sftp::Call<T>>(std::move(call));
    done_ = [shared] { return shared->done(); };
  }
  bool done() const { return done_(); }

 private:
  std::function<bool()> done_;
};

class Conversation {
 public:
  explicit Conversation(fuzz::FuzzInput input) : input_(input), loop_(clock_) {}

  void run() {
    loop_.post(
        [this] { runtime::spawn(start_into(std::make_unique<FakeStream>(end_), started_)); });
    loop_.run_ready();
    server_.version();
    loop_.run_ready();
    take_requests();
    while (!input_.empty()) step();
    end_->set_room(FarEnd::kUnlimited);
    end_->end(Error(ErrorCode::kConnectionLost, "end"));
    loop_.run_ready();
    require(started_.has_value());
    for (const Waiting& call : calls_) require(call.done());
    calls_.clear();
    started_.reset();
    loop_.run_ready();
  }

 private:
  void step() {
    const std::uint8_t action = input_.byte();
    switch (action % 8) {
      case 0:
      case 1: ask(action / 8); break;
      case 2:
      case 3:
      case 4: answer(action / 8, true); break;
      case 5: answer(action / 8, false); break;
      case 6: disturb(action / 8); break;
      default: turn(); break;
    }
  }

  void turn() {
    loop_.run_ready();
    take_requests();
  }

  void take_requests() {
    for (Received& request : server_.take()) requests_.push_back(std::move(request));
  }

  template <class T>
  void wait_for(sftp::Call<T> call) {
    calls_.emplace_back(std::move(call));
  }

  void ask(unsigned what) {
    if (!started_ || !*started_) return;
    sftp::Client& client = ***started_;
    switch (what % 12) {
      case 0: wait_for(client.lstat("/f")); break;
      case 1: wait_for(client.open("/f", sftp::kOpenRead, {})); break;
      case 2: wait_for(client.readdir("d")); break;
      case 3: wait_for(client.readlink("/l")); break;
      case 4: wait_for(client.statvfs("/")); break;
      case 5: wait_for(client.remove("/f")); break;
      case 6: read(client, input_.number(3) % 80'000); break;
      case 7: write(client, input_.number(3) % 80'000); break;
      case 8: wait_for(client.drained()); break;
      case 9: client.open("/f", sftp::kOpenRead, {}).forget(); break;
      case 10: wait_for(client.users_groups_by_id({1, 2}, {3})); break;
      default: wait_for(client.fsync("h")); break;
    }
  }

  void read(sftp::Client& client, std::size_t size_bytes) {
    buffers_.push_back(std::make_unique<std::byte[]>(size_bytes + 1));
    wait_for(client.read("h", input_.byte(), MutableByteSpan(buffers_.back().get(), size_bytes),
                         input_.byte()));
  }
  void write(sftp::Client& client, std::size_t size_bytes) {
    const std::string text(size_bytes, 'w');
    wait_for(client.write("h", 0, SharedBytes::copy_of(as_byte_span(std::string_view(text)))));
  }

  // Of the kind that was asked for, or of any.
  void answer(unsigned which, bool fitting) {
    if (requests_.empty()) return;
    const std::size_t index = which % requests_.size();
    const Received request = requests_[index];
    // One in eight is answered twice.
    if (which % 8 != 7) requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(index));
    if (fitting) {
      answer_fittingly(request);
    } else {
      answer_anyhow(request.id ^ (input_.byte() % 4 == 0 ? 1U : 0U));
    }
  }

  void answer_fittingly(const Received& request) {
    const std::uint32_t error = input_.byte();
    if (error % 4 == 3) {
      server_.status(request.id, error / 4, input_.text(8));
      return;
    }
    switch (request.type) {
      case sftp::PacketType::kRead: answer_read(request); break;
      case sftp::PacketType::kLstat: server_.attrs(request.id, {}); break;
      case sftp::PacketType::kOpen: server_.handle(request.id, "handle"); break;
      case sftp::PacketType::kReaddir:
      case sftp::PacketType::kReadlink:
        server_.names(request.id, {std::string(input_.text(4))});
        break;
      case sftp::PacketType::kExtended:
        server_.limits(request.id, input_.number(4), input_.number(3), input_.number(3));
        break;
      default: server_.status(request.id, sftp::kFxOk); break;
    }
  }

  void answer_read(const Received& request) {
    const std::uint32_t wanted = std::min<std::uint32_t>(parse_read(request).length, 100'000);
    const std::uint8_t how = input_.byte();
    const std::uint32_t given = how % 3 == 0   ? wanted
                                : how % 3 == 1 ? std::min<std::uint32_t>(wanted, how)
                                               : wanted + 1;
    server_.data(request.id, std::string(given, 'r'));
  }

  void answer_anyhow(std::uint32_t id) {
    switch (input_.byte() % 6) {
      case 0: server_.status(id, input_.number(4), input_.text(4)); break;
      case 1: server_.handle(id, std::string(input_.byte() * 2U, 'h')); break;
      case 2: server_.data(id, input_.text(input_.byte())); break;
      case 3: server_.names(id, {std::string(input_.text(3)), std::string(input_.text(3))}); break;
      case 4: server_.attrs(id, {}); break;
      default: server_.limits(id, 0, 0, 0); break;
    }
  }

  void disturb(unsigned how) {
    switch (how % 6) {
      case 0: end_->set_piece_bytes(1U + input_.byte()); break;
      case 1: end_->set_piece_bytes(FarEnd::kUnlimited); break;
      case 2: end_->set_room(input_.number(2)); break;
      case 3: end_->deliver(std::string(input_.text(input_.byte() % 16))); break;
      case 4:
        // Destroyed while others wait: its bytes must not be touched any more.
        if (!calls_.empty()) calls_.erase(calls_.begin());
        break;
      default:
        if (started_ && *started_) (**started_)->kill("told to");
        break;
    }
  }

  fuzz::FuzzInput input_;
  ManualClock clock_;
  runtime::Loop loop_;
  std::shared_ptr<FarEnd> end_ = std::make_shared<FarEnd>();
  FakeServer server_{end_};
  StartResult started_;
  std::vector<Received> requests_;
  std::vector<std::unique_ptr<std::byte[]>> buffers_;
  std::vector<Waiting> calls_;
};

}  // namespace
}  // namespace sftpfs::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::log_set_level(sftpfs::LogLevel::kOff);
  sftpfs::test::Conversation({data, size}).run();
  return 0;
}
