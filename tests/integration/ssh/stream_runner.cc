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

// The loop of conversations that go on at once, up to the end of the last or to the deadline.
class Floor {
 public:
  runtime::Loop& loop() { return loop_; }
  void begins() { ++talking_; }
  void ends() {
    if (--talking_ == 0) loop_.stop();
  }
  // `bytes`: how many are to come; many may take longer.
  void run(std::uint64_t bytes, const std::function<void()>& begin) {
    runtime::Timer deadline(loop_);
    loop_.post([&] {
      deadline.start_after(kConversationTimeout * (1 + (bytes >> 26)) * time_factor(),
                           [this] { loop_.stop(); });
      begin();
    });
    loop_.run();
    deadline.cancel();
  }

 private:
  SteadyClock clock_;
  runtime::Loop loop_{clock_};
  unsigned talking_ = 0;
};

// Base of the conversations: reading until there is nothing left.
class Talk : public runtime::ByteStreamEvents {
 public:
  Talk(Floor& floor, std::unique_ptr<runtime::ByteStream> stream)
      : floor_(floor), stream_(std::move(stream)) {}
  virtual ~Talk() = default;

  void start() {
    floor_.begins();
    const Status attached = stream_->attach(floor_.loop(), *this);
    if (attached) {
      begin();
    } else {
      end_with(attached.error());
    }
  }
  // When it is over.
  Conversation finish() {
    const auto before = std::chrono::steady_clock::now();
    stream_.reset();
    outcome_.destroyed_in = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - before);
    return outcome_;
  }

  runtime::ByteStream& stream() { return *stream_; }

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
    end();
  }
  void end_with(const Error& error) {
    if (!outcome_.error) outcome_.error = error;
    end();
  }

 private:
  void end() {
    if (!std::exchange(ended_, true)) floor_.ends();
  }

  Floor& floor_;
  std::unique_ptr<runtime::ByteStream> stream_;
  bool ended_ = false;
  Conversation outcome_;
  std::vector<char> buffer_ = std::vector<char>(200'000);
};

class Echo final : public Talk {
 public:
  Echo(Floor& floor, std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes,
       std::size_t window, std::function<void()> at_half = {})
      : Talk(floor, std::move(stream)),
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
  Hello(Floor& floor, std::unique_ptr<runtime::ByteStream> stream, std::function<void()> then)
      : Talk(floor, std::move(stream)), then_(std::move(then)) {}

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

Conversation run_alone(Floor& floor, Talk& talk, std::uint64_t bytes = 0) {
  floor.run(bytes, [&talk] { talk.start(); });
  return talk.finish();
}

using Talks = std::vector<std::unique_ptr<Talk>>;
using MakeTalk = std::function<std::unique_ptr<Talk>(std::unique_ptr<runtime::ByteStream>)>;

// Opens siblings of the first talk's stream and lets them talk as well, until one is refused.
runtime::Task<void> open_siblings(Talks& talks, std::size_t count, MakeTalk make,
                                  std::optional<Error>& refused) {
  for (std::size_t i = 0; i < count && !refused; ++i) {
    auto sibling = co_await talks.front()->stream().open_sibling(nullptr);
    if (!sibling) {
      refused = sibling.error();
      continue;
    }
    talks.push_back(make(std::move(*sibling)));
    talks.back()->start();
  }
}

std::vector<Conversation> finish(Talks& talks, const std::optional<Error>& refused) {
  std::vector<Conversation> outcomes;
  for (const std::unique_ptr<Talk>& talk : talks) {
    if (talk) outcomes.push_back(talk->finish());
  }
  if (refused) outcomes.push_back(Conversation{false, 0, refused, {}});
  return outcomes;
}

}  // namespace

std::string Conversation::describe() const {
  return (complete ? "complete, " : "incomplete, ") + std::to_string(received) + " bytes, " +
         (error ? error->describe() : "no error");
}

Conversation echo(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes,
                  std::size_t window) {
  Floor floor;
  Echo talk(floor, std::move(stream), bytes, window);
  return run_alone(floor, talk, bytes);
}

std::vector<Conversation> echo_with_siblings(std::unique_ptr<runtime::ByteStream> stream,
                                             std::size_t siblings, std::uint64_t bytes) {
  Floor floor;
  Talks talks;
  std::optional<Error> refused;
  const MakeTalk make = [&](std::unique_ptr<runtime::ByteStream> sibling) {
    const bool is_dropped = talks.size() == 1;
    const auto drop = [&] { floor.loop().post([&] { talks[1].reset(); }); };
    return std::make_unique<Echo>(floor, std::move(sibling), bytes, 0,
                                  is_dropped ? std::function<void()>(drop) : nullptr);
  };
  floor.run(bytes * (siblings + 2), [&] {
    talks.push_back(std::make_unique<Echo>(floor, std::move(stream), bytes, 0));
    talks.front()->start();
    runtime::spawn(open_siblings(talks, siblings + 1, make, refused));
  });
  return finish(talks, refused);
}

std::vector<Conversation> wait_for_ends(std::unique_ptr<runtime::ByteStream> stream,
                                        const std::function<void()>& meanwhile) {
  Floor floor;
  Talks talks;
  std::optional<Error> refused;
  const MakeTalk make = [&](std::unique_ptr<runtime::ByteStream> sibling) {
    return std::make_unique<Hello>(floor, std::move(sibling), meanwhile);
  };
  floor.run(0, [&] {
    const auto go_on = [&] { runtime::spawn(open_siblings(talks, 1, make, refused)); };
    talks.push_back(std::make_unique<Hello>(floor, std::move(stream), go_on));
    talks.front()->start();
  });
  return finish(talks, refused);
}

Conversation echo_and_abandon(std::unique_ptr<runtime::ByteStream> stream, std::uint64_t bytes,
                              const std::function<void()>& before) {
  Floor floor;
  Echo talk(floor, std::move(stream), bytes, 0, before);
  return run_alone(floor, talk, bytes);
}

Conversation say_hello(std::unique_ptr<runtime::ByteStream> stream) {
  Floor floor;
  Hello talk(floor, std::move(stream), {});
  return run_alone(floor, talk);
}

Conversation wait_for_end(std::unique_ptr<runtime::ByteStream> stream,
                          const std::function<void()>& meanwhile) {
  Floor floor;
  Hello talk(floor, std::move(stream), meanwhile);
  return run_alone(floor, talk);
}

}  // namespace sftpfs::test
