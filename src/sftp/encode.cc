// See encode.h.
#include "sftp/encode.h"

#include <utility>

namespace sftpfs::sftp {
namespace {

Writer extended(std::string_view name) {
  Writer writer(PacketType::kExtended);
  writer.string(name);
  return writer;
}

void write_ids(Writer& writer, const std::vector<std::uint32_t>& ids) {
  writer.u32(static_cast<std::uint32_t>(ids.size() * sizeof(std::uint32_t)));
  for (const std::uint32_t id : ids) writer.u32(id);
}

}  // namespace

Packet encode_init() { return Writer(PacketType::kInit, kProtocolVersion).finish(); }

Packet encode_path(PacketType type, const std::string& path) {
  Writer writer(type);
  writer.string(path);
  return std::move(writer).finish();
}

Packet encode_path_attrs(PacketType type, const std::string& path, const Attrs& attrs) {
  Writer writer(type);
  writer.string(path).attrs(attrs);
  return std::move(writer).finish();
}

Packet encode_two_paths(PacketType type, const std::string& first, const std::string& second) {
  Writer writer(type);
  writer.string(first).string(second);
  return std::move(writer).finish();
}

Packet encode_handle(PacketType type, const Handle& handle) { return encode_path(type, handle); }

Packet encode_fsetstat(const Handle& handle, const Attrs& attrs) {
  return encode_path_attrs(PacketType::kFsetstat, handle, attrs);
}

Packet encode_open(const std::string& path, std::uint32_t flags, const Attrs& attrs) {
  Writer writer(PacketType::kOpen);
  writer.string(path).u32(flags).attrs(attrs);
  return std::move(writer).finish();
}

Packet encode_read(const Handle& handle, std::uint64_t offset, std::uint32_t length) {
  Writer writer(PacketType::kRead);
  writer.string(handle).u64(offset).u32(length);
  return std::move(writer).finish();
}

Packet encode_write_head(const Handle& handle, std::uint64_t offset, std::uint32_t data_bytes) {
  Writer writer(PacketType::kWrite);
  writer.string(handle).u64(offset).u32(data_bytes);
  return std::move(writer).finish(data_bytes);
}

Packet encode_limits() { return extended(extension::kLimits).finish(); }

Packet encode_extended_string(std::string_view extension, std::string_view argument) {
  Writer writer = extended(extension);
  writer.string(argument);
  return std::move(writer).finish();
}

Packet encode_extended_paths(std::string_view extension, const std::string& first,
                             const std::string& second) {
  Writer writer = extended(extension);
  writer.string(first).string(second);
  return std::move(writer).finish();
}

Packet encode_lsetstat(const std::string& path, const Attrs& attrs) {
  Writer writer = extended(extension::kLsetstat);
  writer.string(path).attrs(attrs);
  return std::move(writer).finish();
}

Packet encode_copy_data(const Handle& from, std::uint64_t from_offset, std::uint64_t length,
                        const Handle& to, std::uint64_t to_offset) {
  Writer writer = extended(extension::kCopyData);
  writer.string(from).u64(from_offset).u64(length).string(to).u64(to_offset);
  return std::move(writer).finish();
}

Packet encode_users_groups_by_id(const std::vector<std::uint32_t>& uids,
                                 const std::vector<std::uint32_t>& gids) {
  Writer writer = extended(extension::kUsersGroupsById);
  write_ids(writer, uids);
  write_ids(writer, gids);
  return std::move(writer).finish();
}

}  // namespace sftpfs::sftp
