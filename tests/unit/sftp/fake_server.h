// FakeServer: takes a client's requests apart and sends the answers a test wants.
//
// Ownership: shares the far end of the stream.
// Threads:   one loop's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "sftp/decode.h"
#include "sftp/encode.h"
#include "sftp/wire.h"
#include "unit/sftp/fake_stream.h"

namespace sftpfs::test {

// One request as it came; `body` is what follows the id (INIT: its version).
struct Received {
  sftp::PacketType type{};
  std::uint32_t id = 0;
  std::string body;

  sftp::Reader reader() const { return sftp::Reader(as_byte_span(body)); }
  // The first string of the body: a path, a handle, or the name of an extension.
  std::string first() const { return std::string(reader().string(body.size())); }
};

struct ReadRequest {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
};
inline ReadRequest parse_read(const Received& request) {
  sftp::Reader reader = request.reader();
  reader.string(sftp::kHandleBytesMax);
  ReadRequest read;
  read.offset = reader.u64();
  read.length = reader.u32();
  return read;
}

struct WriteRequest {
  std::uint64_t offset = 0;
  std::string data;
};
inline WriteRequest parse_write(const Received& request) {
  sftp::Reader reader = request.reader();
  reader.string(sftp::kHandleBytesMax);
  WriteRequest write;
  write.offset = reader.u64();
  write.data = std::string(reader.string(request.body.size()));
  return write;
}

// A VERSION with what OpenSSH 9 offers; `without` is left out.
inline sftp::Packet openssh_version(std::string_view without = {}) {
  sftp::Writer writer(sftp::PacketType::kVersion, sftp::kProtocolVersion);
  const std::pair<std::string_view, std::string_view> offered[] = {
      {sftp::extension::kPosixRename, "1"},     {sftp::extension::kStatvfs, "2"},
      {sftp::extension::kFstatvfs, "2"},        {sftp::extension::kHardlink, "1"},
      {sftp::extension::kFsync, "1"},           {sftp::extension::kLsetstat, "1"},
      {sftp::extension::kLimits, "1"},          {sftp::extension::kExpandPath, "1"},
      {sftp::extension::kCopyData, "1"},        {sftp::extension::kHomeDirectory, "1"},
      {sftp::extension::kUsersGroupsById, "1"},
  };
  for (const auto& [name, version] : offered) {
    if (name != without) writer.string(name).string(version);
  }
  return std::move(writer).finish();
}

class FakeServer {
 public:
  explicit FakeServer(std::shared_ptr<FarEnd> end) : end_(std::move(end)) {}
  FarEnd& end() { return *end_; }

  // Every request that has come completely since the last call, in order.
  std::vector<Received> take() {
    unparsed_ += end_->take_sent();
    std::vector<Received> requests;
    while (unparsed_.size() >= sftp::kHeaderBytes) {
      sftp::Reader reader(as_byte_span(unparsed_));
      const std::size_t total = sftp::kLengthBytes + reader.u32();
      if (unparsed_.size() < total) break;
      Received request;
      request.type = static_cast<sftp::PacketType>(reader.u8());
      request.id = reader.u32();
      request.body = unparsed_.substr(sftp::kHeaderBytes, total - sftp::kHeaderBytes);
      requests.push_back(std::move(request));
      unparsed_.erase(0, total);
    }
    return requests;
  }

  void send(const sftp::Packet& packet) { end_->deliver(ByteSpan(packet)); }
  void send(std::uint32_t id, sftp::Writer writer) {
    sftp::Packet packet = std::move(writer).finish();
    sftp::stamp(packet, id);
    send(packet);
  }
  void version(std::string_view without = {}) { send(openssh_version(without)); }
  void limits(std::uint32_t id, std::uint64_t packet, std::uint64_t read, std::uint64_t write) {
    sftp::Writer writer(sftp::PacketType::kExtendedReply);
    writer.u64(packet).u64(read).u64(write).u64(64);
    send(id, std::move(writer));
  }
  void status(std::uint32_t id, std::uint32_t code, std::string_view text = {}) {
    sftp::Writer writer(sftp::PacketType::kStatus);
    writer.u32(code).string(text).string("");
    send(id, std::move(writer));
  }
  void handle(std::uint32_t id, std::string_view handle) {
    sftp::Writer writer(sftp::PacketType::kHandle);
    writer.string(handle);
    send(id, std::move(writer));
  }
  void data(std::uint32_t id, std::string_view bytes) {
    sftp::Writer writer(sftp::PacketType::kData);
    writer.string(bytes);
    send(id, std::move(writer));
  }
  void attrs(std::uint32_t id, const sftp::Attrs& attrs) {
    sftp::Writer writer(sftp::PacketType::kAttrs);
    writer.attrs(attrs);
    send(id, std::move(writer));
  }
  void names(std::uint32_t id, const std::vector<std::string>& names) {
    sftp::Writer writer(sftp::PacketType::kName);
    writer.u32(static_cast<std::uint32_t>(names.size()));
    for (const std::string& name : names) {
      writer.string(name).string("-rw-r--r-- " + name).attrs(sftp::Attrs{});
    }
    send(id, std::move(writer));
  }

 private:
  std::shared_ptr<FarEnd> end_;
  std::string unparsed_;
};

}  // namespace sftpfs::test
