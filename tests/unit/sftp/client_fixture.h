// ClientFixture: a client in simulated time with a FakeServer at its other end.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "sftp/client.h"
#include "unit/sftp/fake_server.h"

namespace sftpfs::test {

using StartResult = std::optional<Result<std::unique_ptr<sftp::Client>>>;

inline runtime::Task<void> start_into(std::unique_ptr<runtime::ByteStream> stream,
                                      runtime::Cancel* cancel, StartResult& into) {
  auto client = co_await sftp::Client::start(std::move(stream), cancel);
  into.emplace(std::move(client));
}

// Awaits a call as an operation would.
template <class T>
runtime::Task<void> await_into(sftp::Call<T> call, runtime::Cancel* cancel,
                               std::optional<Result<T>>& into) {
  auto result = co_await call.until(cancel);
  into.emplace(std::move(result));
}

class ClientFixture : public ::testing::Test {
 protected:
  static constexpr std::size_t kPartBytes = 261120;  // what OpenSSH allows per request

  ClientFixture() : loop(clock), far_end(std::make_shared<FarEnd>()), server(far_end) {}

  void run() { loop.run_ready(); }
  // What the client has sent by the end of its turns.
  std::vector<Received> requests() {
    run();
    return server.take();
  }
  // The one request that is there.
  Received request() {
    std::vector<Received> all = requests();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? Received{} : all.front();
  }

  void begin_start(runtime::Cancel* cancel = nullptr) {
    loop.post([this, cancel] {
      runtime::spawn(start_into(std::make_unique<FakeStream>(far_end), cancel, started));
    });
  }
  // Up to a working client; `transfer_bytes` is the server's limit on READ and WRITE.
  void connect(std::uint64_t transfer_bytes = kPartBytes, std::string_view without = {}) {
    begin_start();
    const Received init = request();
    ASSERT_EQ(init.type, sftp::PacketType::kInit);
    server.version(without);
    if (without != sftp::extension::kLimits) {
      server.limits(request().id, transfer_bytes + 1024, transfer_bytes, transfer_bytes);
    }
    run();
    ASSERT_TRUE(started && *started) << (started ? started->error().describe() : "no answer");
    client = std::move(**started);
  }

  template <class T>
  static Result<T> result_of(sftp::Call<T>& call) {
    EXPECT_TRUE(call.done());
    if (!call.done()) return fail(ErrorCode::kTimedOut, "not done");
    return call.take();
  }
  // Runs the loop and expects `call` to have ended.
  template <class T>
  Result<T> finish(sftp::Call<T>& call) {
    run();
    return result_of(call);
  }

  ManualClock clock;
  runtime::Loop loop;
  std::shared_ptr<FarEnd> far_end;
  FakeServer server;
  StartResult started;
  std::unique_ptr<sftp::Client> client;
};

inline MutableByteSpan writable(std::string& text) {
  return std::as_writable_bytes(std::span<char>(text.data(), text.size()));
}

// Bytes that tell their position.
inline std::string pattern(std::size_t bytes, std::size_t from = 0) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>((from + i) * 131 >> 3);
  }
  return text;
}

}  // namespace sftpfs::test
