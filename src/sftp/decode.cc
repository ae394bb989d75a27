// See decode.h.
#include "sftp/decode.h"

#include <algorithm>
#include <utility>

#include "sftp/encode.h"

namespace sftpfs::sftp {
namespace {

constexpr std::size_t kStatusTextBytesMax = 64 * 1024;
constexpr std::size_t kStatusTextBytesKept = 512;
constexpr std::size_t kNameBytesMax = 64 * 1024;  // longer than any PATH_MAX in use
constexpr std::size_t kExtensionsMax = 256;
constexpr std::size_t kNameEntryBytesMin = 12;  // two empty strings and attributes without any

// A request larger than this would hold up the metadata behind it for too long.
constexpr std::uint64_t kTransferBytesMax = 256 * 1024;
constexpr std::uint64_t kTransferBytesMin = 4096;
constexpr std::uint64_t kPacketOverheadBytes = 1024;

Error malformed(const Reply& reply) {
  return Error(ErrorCode::kProtocol,
               "the server sent a malformed " + packet_type_name(reply.type) + " reply");
}

// The error of a reply that is a STATUS where something else was hoped for.
Error status_as_error(const Reply& reply) {
  const Status status = decode_status(reply);
  if (!status) return status.error();
  return Error(ErrorCode::kProtocol, "the server reported success without the result asked for");
}

bool is_status(const Reply& reply) { return reply.type == PacketType::kStatus; }

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

void note_extension(Extensions& extensions, std::string_view name, std::string_view version) {
  struct Known {
    std::string_view name;
    std::string_view version;
    bool Extensions::*flag;
  };
  static constexpr Known kKnown[] = {
      {extension::kPosixRename, "1", &Extensions::posix_rename},
      {extension::kHardlink, "1", &Extensions::hardlink},
      {extension::kFsync, "1", &Extensions::fsync},
      {extension::kStatvfs, "2", &Extensions::statvfs},
      {extension::kFstatvfs, "2", &Extensions::fstatvfs},
      {extension::kLsetstat, "1", &Extensions::lsetstat},
      {extension::kLimits, "1", &Extensions::limits},
      {extension::kCopyData, "1", &Extensions::copy_data},
      {extension::kExpandPath, "1", &Extensions::expand_path},
      {extension::kHomeDirectory, "1", &Extensions::home_directory},
      {extension::kUsersGroupsById, "1", &Extensions::users_groups_by_id},
  };
  for (const Known& known : kKnown) {
    if (known.name == name && known.version == version) extensions.*known.flag = true;
  }
}

std::uint64_t usable_transfer(std::uint64_t said, std::uint64_t packet_bytes_max) {
  const std::uint64_t fits = packet_bytes_max - kPacketOverheadBytes;
  const std::uint64_t wanted = said == 0 ? fits : std::min(said, fits);
  return std::clamp(wanted, kTransferBytesMin, kTransferBytesMax);
}

// The inner strings of one half of a users-groups-by-id reply.
bool read_name_strings(std::string_view packed, std::size_t count, std::vector<std::string>& into) {
  Reader reader(as_byte_span(packed));
  into.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = reader.string(kNameBytesMax);
    if (!reader.ok()) return false;
    into.emplace_back(has_nul(name) ? std::string_view() : name);
  }
  return true;
}

}  // namespace

bool is_entry_name(std::string_view name) {
  if (name.empty() || name.size() > kEntryNameBytesMax) return false;
  if (name == "." || name == "..") return false;
  return !has_nul(name) && name.find('/') == std::string_view::npos;
}

Result<Version> decode_version(ByteSpan body) {
  Reader reader(body);
  Version version;
  version.number = reader.u32();
  if (!reader.ok()) return fail(ErrorCode::kProtocol, "the server sent a malformed VERSION");
  for (std::size_t i = 0; i < kExtensionsMax && reader.remaining() > 0; ++i) {
    const std::string_view name = reader.string(reader.remaining());
    const std::string_view data = reader.string(reader.remaining());
    if (!reader.ok()) break;
    note_extension(version.extensions, name, data);
  }
  return version;
}

Status decode_status(const Reply& reply) {
  Reader reader(reply.body);
  const std::uint32_t code = reader.u32();
  std::string_view text;
  // Servers older than the draft send neither text nor language.
  if (reader.ok() && reader.remaining() > 0) text = reader.string(kStatusTextBytesMax);
  if (reader.ok() && reader.remaining() > 0) reader.string(kStatusTextBytesMax);
  if (!reader.ok()) return fail(malformed(reply));
  if (code == kFxOk) return {};
  return fail(Error::sftp(code, std::string(text.substr(0, kStatusTextBytesKept))));
}

Result<Handle> decode_handle(const Reply& reply) {
  if (is_status(reply)) return fail(status_as_error(reply));
  Reader reader(reply.body);
  const std::string_view handle = reader.string(kHandleBytesMax);
  if (!reader.ok() || handle.empty()) return fail(malformed(reply));
  return Handle(handle);
}

Result<Attrs> decode_attrs(const Reply& reply) {
  if (is_status(reply)) return fail(status_as_error(reply));
  Reader reader(reply.body);
  const Attrs attrs = reader.attrs();
  if (!reader.ok()) return fail(malformed(reply));
  return attrs;
}

Result<NameList> decode_names(const Reply& reply) {
  if (is_status(reply)) {
    Error error = status_as_error(reply);
    if (error.is_sftp(kFxEof)) return NameList{};
    return fail(std::move(error));
  }
  Reader reader(reply.body);
  const std::size_t count = reader.u32();
  if (count > reader.remaining() / kNameEntryBytesMin) return fail(malformed(reply));
  NameList list;
  list.received = count;
  list.entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = reader.string(reader.remaining());
    reader.string(reader.remaining());  // the line of "ls -l", which has no fixed form
    const Attrs attrs = reader.attrs();
    if (!reader.ok()) return fail(malformed(reply));
    if (is_entry_name(name)) list.entries.push_back(DirEntry{std::string(name), attrs});
  }
  if (!reader.ok()) return fail(malformed(reply));
  return list;
}

Result<std::string> decode_path(const Reply& reply) {
  if (is_status(reply)) return fail(status_as_error(reply));
  Reader reader(reply.body);
  const std::uint32_t count = reader.u32();
  const std::string_view path = reader.string(kNameBytesMax);
  reader.string(reader.remaining());
  reader.attrs();
  if (!reader.ok() || count != 1 || path.empty() || has_nul(path)) return fail(malformed(reply));
  return std::string(path);
}

Result<StatVfs> decode_statvfs(const Reply& reply) {
  if (is_status(reply)) return fail(status_as_error(reply));
  Reader reader(reply.body);
  StatVfs vfs;
  for (std::uint64_t* field :
       {&vfs.block_size, &vfs.fragment_size, &vfs.blocks, &vfs.blocks_free, &vfs.blocks_available,
        &vfs.files, &vfs.files_free, &vfs.files_available, &vfs.filesystem_id, &vfs.flags,
        &vfs.name_max}) {
    *field = reader.u64();
  }
  if (!reader.ok()) return fail(malformed(reply));
  return vfs;
}

Result<Limits> decode_limits(const Reply& reply) {
  if (is_status(reply)) return fail(status_as_error(reply));
  Reader reader(reply.body);
  const std::uint64_t packet = reader.u64();
  const std::uint64_t read = reader.u64();
  const std::uint64_t write = reader.u64();
  const std::uint64_t handles = reader.u64();
  if (!reader.ok()) return fail(malformed(reply));
  Limits limits;
  if (packet != 0) {
    limits.packet_bytes_max = std::clamp(packet, kTransferBytesMin + kPacketOverheadBytes,
                                         kTransferBytesMax + kPacketOverheadBytes);
  }
  limits.read_bytes_max = usable_transfer(read, limits.packet_bytes_max);
  limits.write_bytes_max = usable_transfer(write, limits.packet_bytes_max);
  limits.handles_max = handles;
  return limits;
}

Result<UserGroupNames> decode_users_groups(const Reply& reply, std::size_t users,
                                           std::size_t groups) {
  if (is_status(reply)) return fail(status_as_error(reply));
  Reader reader(reply.body);
  const std::string_view packed_users = reader.string(reader.remaining());
  const std::string_view packed_groups = reader.string(reader.remaining());
  UserGroupNames names;
  if (!reader.ok() || !read_name_strings(packed_users, users, names.users) ||
      !read_name_strings(packed_groups, groups, names.groups)) {
    return fail(malformed(reply));
  }
  return names;
}

}  // namespace sftpfs::sftp
