// Fuzzes what a hostile server can reach: the decoders, and a whole client fed with its bytes.
//
// The first byte of an input chooses: the decoders, a client from its first byte on, or a client
// that has had its VERSION. The second is the size of the pieces in which the rest arrives.
#include <cstddef>
#include <cstdint>
#include <cstring>
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
#include "sftp/decode.h"
#include "unit/sftp/fake_server.h"
#include "unit/sftp/fake_stream.h"

namespace sftpfs::test {
namespace {

using fuzz::require;
using sftp::PacketType;
using StartResult = std::optional<Result<std::unique_ptr<sftp::Client>>>;

void fuzz_decoders(ByteSpan body) {
  for (const PacketType type : {PacketType::kStatus, PacketType::kName}) {
    const sftp::Reply reply{type, body};
    (void)sftp::decode_status(reply);
    (void)sftp::decode_handle(reply);
    (void)sftp::decode_attrs(reply);
    (void)sftp::decode_path(reply);
    (void)sftp::decode_statvfs(reply);
    (void)sftp::decode_users_groups(reply, 3, 2);
    const Result<sftp::Limits> limits = sftp::decode_limits(reply);
    if (limits) require(limits->read_bytes_max > 0 && limits->write_bytes_max > 0);
    const Result<sftp::NameList> names = sftp::decode_names(reply);
    if (!names) continue;
    for (const sftp::DirEntry& entry : names->entries) require(sftp::is_entry_name(entry.name));
  }
  (void)sftp::decode_version(body);
}

runtime::Task<void> start_into(std::unique_ptr<runtime::ByteStream> stream, StartResult& into) {
  auto client = co_await sftp::Client::start(std::move(stream), nullptr);
  into.emplace(std::move(client));
}

// One of each kind of answer under way; all must have ended when the stream has.
struct Operations {
  explicit Operations(sftp::Client& client)
      : attrs(client.lstat("/f")),
        open(client.open("/f", sftp::kOpenRead, {})),
        names(client.readdir("d")),
        path(client.realpath(".")),
        vfs(client.statvfs("/")),
        done(client.remove("/f")),
        read(client.read("h", 0, std::as_writable_bytes(std::span<char>(memory.get(), kBytes)),
                         1000)),
        abandoned(std::make_unique<char[]>(100)) {
    client.opendir("/d").forget();
    client.read("h", 0, std::as_writable_bytes(std::span<char>(abandoned.get(), 100)), 0).forget();
    // Its bytes must not be touched any more.
    abandoned.reset();
  }
  bool all_done() const {
    return attrs.done() && open.done() && names.done() && path.done() && vfs.done() &&
           done.done() && read.done();
  }

  static constexpr std::size_t kBytes = 100'000;
  std::unique_ptr<char[]> memory = std::make_unique<char[]>(kBytes);
  sftp::Call<sftp::Attrs> attrs;
  sftp::Call<sftp::Handle> open;
  sftp::Call<std::vector<sftp::DirEntry>> names;
  sftp::Call<std::string> path;
  sftp::Call<sftp::StatVfs> vfs;
  sftp::Call<void> done;
  sftp::Call<std::size_t> read;
  std::unique_ptr<char[]> abandoned;
};

void fuzz_client(ByteSpan bytes, std::size_t piece_bytes, bool greet) {
  ManualClock clock;
  runtime::Loop loop(clock);
  const auto end = std::make_shared<FarEnd>();
  StartResult started;
  loop.post([&] { runtime::spawn(start_into(std::make_unique<FakeStream>(end), started)); });
  loop.run_ready();
  if (greet) {
    end->deliver(ByteSpan(openssh_version(sftp::extension::kLimits)));
    loop.run_ready();
    require(started && *started);
  }
  std::optional<Operations> operations;
  if (started && *started) operations.emplace(***started);
  loop.run_ready();
  end->set_piece_bytes(piece_bytes);
  end->deliver(bytes);
  loop.run_ready();
  end->end(Error(ErrorCode::kConnectionLost, "end"));
  loop.run_ready();
  require(started.has_value());
  if (operations) require(operations->all_done());
  // What could still be waiting for its destruction.
  operations.reset();
  started.reset();
  loop.run_ready();
}

}  // namespace
}  // namespace sftpfs::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sftpfs;
  if (size < 2) return 0;
  log_set_level(LogLevel::kOff);
  // A copy of exactly this size, so that one byte too far is seen.
  const std::size_t rest = size - 2;
  const auto bytes = std::make_unique<std::byte[]>(rest);
  if (rest > 0) std::memcpy(bytes.get(), data + 2, rest);
  const ByteSpan input(bytes.get(), rest);
  const std::size_t piece = data[1] == 0 ? test::FarEnd::kUnlimited : data[1];
  switch (data[0] % 3) {
    case 0: test::fuzz_decoders(input); break;
    case 1: test::fuzz_client(input, piece, false); break;
    default: test::fuzz_client(input, piece, true); break;
  }
  return 0;
}
