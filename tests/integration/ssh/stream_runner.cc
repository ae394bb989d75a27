// See stream_runner.h.
#include "integration/ssh/stream_runner.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "integration/pattern.h"
#include "runtime/loop.h"
#include "support/deadline.h"

namespace sftpfs::test {

namespace {

constexpr std::uint64_t kSeed = 4711;
constexpr std::size_t kPieceBytes = 48 * 1024 + 13;  // fits nobody's packets

// Base of the conversations: the loop, the deadline, reading until there is nothing left.
class Talk : public runtime::ByteStreamEvents {
 public:
  // `bytes`: how many are to come; many may take longer.
  explicit Talk(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes = 0)
      : stream_(std::move(stream)), patience_(kConversationTimeout * (1 + (bytes >> 26))) {}
  virtual ~Talk() = default;

  Conversation run() {
    runtime::Timer deadline(loop_);
    loop_.post([&] {
      deadline.start_after(patience_ * time_factor(), [this] { loop_.stop(); });
      const Status attached = stream_->attach(loop_, *this);
      if (attached) {
        begin();
      } else {
        end_with(attached.error());
      }
    });
    loop_.run();
    deadline.cancel();
    const auto before = std::chrono::steady_clock::now();
    stream_.reset();
    outcome_.destroyed_in = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - before);
    return outcome_;
  }

 protected:
  virtual void begin() = 0;
  virtual void take(std::span<const char> bytes) = 0;
  void on_writable() override {}

  void on_readable() override {
    // Scattered, so that pieces of packets meet the ends of buffers.
    std::array<iovec, 3> pieces{};
    std::size_t asked = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::size_t size = buffer_.size() / 3 - i;
      pieces[i] = {buffer_.data() + asked, size};
      asked += size;
    }
    while (true) {
      const Result<std::size_t> got = stream_->read(pieces);
      if (!got) return end_with(got.error());
      outcome_.received += *got;
      take({buffer_.data(), *got});
      if (*got < asked) return;
    }
  }

  // Whole messages only; returns how much was taken.
  std::size_t send(std::span<char> bytes) {
    const iovec piece{bytes.data(), bytes.size()};
    const Result<std::size_t> taken = stream_->write({&piece, 1});
    if (!taken) end_with(taken.error());
    return taken ? *taken : 0;
  }
  void complete() {
    outcome_.complete = true;
    loop_.stop();
  }
  void end_with(const Error& error) {
    if (!outcome_.error) outcome_.error = error;
    loop_.stop();
  }

  runtime::ByteStream& stream() { return *stream_; }
  const Conversation& outcome() const { return outcome_; }

 private:
  SteadyClock clock_;
  runtime::Loop loop_{clock_};
  std::unique_ptr<runtime::ByteStream> stream_;
  const std::chrono::seconds patience_;
  Conversation outcome_;
  std::vector<char> buffer_ = std::vector<char>(200'000);
};

class Echo final : public Talk {
 public:
  Echo(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes, std::size_t window,
       std::function<void()> at_half = {})
      : Talk(std::move(stream), bytes),
        bytes_(bytes),
        window_(window),
        at_half_(std::move(at_half)) {}

 private:
  void begin() override {
    if (window_ != 0) stream().set_receive_window(window_);
    on_writable();
  }
  void on_writable() override {
    std::vector<char> piece(kPieceBytes);
    while (sent_ < bytes_) {
      const std::size_t size = std::min<std::uint64_t>(piece.size(), bytes_ - sent_);
      pattern_.fill(sent_, {piece.data(), size});
      const std::size_t taken = send({piece.data(), size});
      sent_ += taken;
      if (taken < size) return;
    }
  }
  void take(std::span<const char> bytes) override {
    if (!pattern_.matches(checked_, bytes)) {
      return end_with(Error(ErrorCode::kProtocol, "wrong bytes came back"));
    }
    checked_ += bytes.size();
    if (checked_ == bytes_) complete();
    if (!at_half_ || checked_ < bytes_ / 2) return;
    std::exchange(at_half_, {})();
    complete();
  }

  const std::uint64_t bytes_;
  const std::size_t window_;
  std::function<void()> at_half_;
  const Pattern pattern_{kSeed};
  std::uint64_t sent_ = 0;
  std::uint64_t checked_ = 0;
};

class Hello final : public Talk {
 public:
  Hello(std::unique_ptr<runtime::ByteStream> stream, std::function<void()> then)
      : Talk(std::move(stream)), then_(std::move(then)) {}

 private:
  void begin() override {
    std::array<char, 9> init{0, 0, 0, 5, 1, 0, 0, 0, 3};
    send(init);
  }
  void take(std::span<const char> bytes) override {
    constexpr std::size_t kTypeAt = 4;
    constexpr char kVersion = 2;
    answer_.append(bytes.data(), bytes.size());
    if (answer_.size() <= kTypeAt || greeted_) return;
    greeted_ = true;
    if (answer_[kTypeAt] != kVersion) {
      end_with(Error(ErrorCode::kProtocol, "that was no VERSION"));
    } else if (then_) {
      then_();
    } else {
      complete();
    }
  }

  std::function<void()> then_;
  std::string answer_;
  bool greeted_ = false;
};

}  // namespace

std::string Conversation::describe() const {
  return (complete ? "complete, " : "incomplete, ") + std::to_string(received) + " bytes, " +
         (error ? error->describe() : "no error");
}

Conversation echo(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes,
                  std::size_t window) {
  return Echo(std::move(stream), bytes, window).run();
}

Conversation echo_and_abandon(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes,
                              const std::function<void()>& before) {
  return Echo(std::move(stream), bytes, 0, before).run();
}

Conversation say_hello(std::unique_ptr<runtime::ByteStream> stream) {
  return Hello(std::move(stream), {}).run();
}

Conversation wait_for_end(std::unique_ptr<runtime::ByteStream> stream,
                          const std::function<void()>& meanwhile) {
  return Hello(std::move(stream), meanwhile).run();
}

}  // namespace sftpfs::test
