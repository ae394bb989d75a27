// See model_server.h.
#include "sim/model_server.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "sftp/encode.h"
#include "sim/model_server_words.h"

namespace sftpfs::sim {
namespace {

using sftp::PacketType;
using sftp::Reader;
using sftp::Writer;

constexpr std::uint32_t kPermissionBits = 07777;
constexpr std::size_t kPacketOverheadBytes = 1024;
constexpr std::uint64_t kHandlesMax = 1000;

std::uint32_t portable(int error) {
  switch (error) {
    case 0: return sftp::kFxOk;
    case ENOENT:
    case ENOTDIR:
    case EBADF:
    case ELOOP: return sftp::kFxNoSuchFile;
    case EPERM:
    case EACCES:
    case EFAULT: return sftp::kFxPermissionDenied;
    case ENAMETOOLONG:
    case EINVAL: return sftp::kFxBadMessage;
    case ENOSYS: return sftp::kFxOpUnsupported;
    default: return sftp::kFxFailure;
  }
}

}  // namespace

void ServerSession::receive(std::string_view bytes, std::string& answers) {
  answers_ = &answers;
  input_.append(bytes);
  std::size_t at = 0;
  while (input_.size() - at >= sftp::kLengthBytes) {
    const std::string_view rest = std::string_view(input_).substr(at);
    const std::size_t total = sftp::kLengthBytes + u32_at(rest);
    if (rest.size() < total) break;
    packet(rest.substr(sftp::kLengthBytes, total - sftp::kLengthBytes));
    at += total;
  }
  input_.erase(0, at);
}

std::size_t ServerSession::open_handles() const {
  return static_cast<std::size_t>(std::count_if(handles_.begin(), handles_.end(),
                                                [](const Handle& handle) { return handle.used; }));
}

void ServerSession::packet(std::string_view packet) {
  Reader body(as_byte_span(packet));
  const auto type = static_cast<PacketType>(body.u8());
  id_ = body.u32();
  ++requests_;
  if (trace_.enabled()) {
    Reader first = body;
    const std::string_view object = first.string(first.remaining());
    trace_.add("    server {}: {} #{} {}", number_, sftp::packet_type_name(type), id_,
               object.size() == kHandleBytes && object.front() != '/'
                   ? fmt::format("handle {}", u32_at(object))
                   : std::string(object));
  }
  if (type == PacketType::kInit) return version();
  request(type, body);
}

void ServerSession::request(PacketType type, Reader& body) {
  const std::uint32_t now = server_.now();
  switch (type) {
    case PacketType::kOpen: return open(body);
    case PacketType::kClose: return close(body);
    case PacketType::kRead: return read(body);
    case PacketType::kWrite: return write(body);
    case PacketType::kLstat: return stat(body.string(kStringMax), false);
    case PacketType::kStat: return stat(body.string(kStringMax), true);
    case PacketType::kFstat: return fstat(body);
    case PacketType::kSetstat: return setstat(body);
    case PacketType::kFsetstat: return fsetstat(body);
    case PacketType::kOpendir: return opendir(body);
    case PacketType::kReaddir: return readdir(body);
    case PacketType::kReadlink: return readlink(body);
    case PacketType::kRealpath: return realpath(body);
    case PacketType::kExtended: return extended(body);
    case PacketType::kRemove: {
      const std::string_view path = body.string(kStringMax);
      return done(tree_.unlink(path, now), Effect::kUnlink, path);
    }
    case PacketType::kRmdir: {
      const std::string_view path = body.string(kStringMax);
      return done(tree_.rmdir(path, now), Effect::kRmdir, path);
    }
    case PacketType::kMkdir: {
      const std::string_view path = body.string(kStringMax);
      const sftp::Attrs attrs = body.attrs();
      const std::uint32_t mode = attrs.has(sftp::kAttrPermissions) ? attrs.permissions : 0777;
      return done(tree_.mkdir(path, mode, now), Effect::kMkdir, path);
    }
    case PacketType::kRename: {
      const std::string_view from = body.string(kStringMax);
      return rename(from, body.string(kStringMax), false);
    }
    case PacketType::kSymlink: {
      const std::string_view target = body.string(kStringMax);
      const std::string_view path = body.string(kStringMax);
      return done(tree_.symlink(target, path, now), Effect::kSymlink, path);
    }
    default: return status(sftp::kFxOpUnsupported);
  }
}

void ServerSession::extended(Reader& body) {
  const std::string_view name = body.string(kStringMax);
  if (name == sftp::extension::kLimits) {
    const std::uint64_t transfer = server_.config().transfer_bytes_max;
    Writer writer(PacketType::kExtendedReply);
    writer.u64(transfer + kPacketOverheadBytes).u64(transfer).u64(transfer).u64(kHandlesMax);
    return reply(std::move(writer));
  }
  if (name == sftp::extension::kPosixRename) {
    const std::string_view from = body.string(kStringMax);
    return rename(from, body.string(kStringMax), true);
  }
  if (name == sftp::extension::kHardlink) {
    const std::string_view existing = body.string(kStringMax);
    const std::string_view path = body.string(kStringMax);
    return done(tree_.link(existing, path, server_.now()), Effect::kLink, path);
  }
  if (name == sftp::extension::kFsync && server_.config().fsync) {
    return result(handle(body.string(kStringMax)) != nullptr ? 0 : EBADF);
  }
  if (name == sftp::extension::kStatvfs) return statvfs();
  if (name == sftp::extension::kLsetstat) return lsetstat(body);
  if (name == sftp::extension::kCopyData) return copy_data(body);
  status(sftp::kFxOpUnsupported);
}

// --- Names --------------------------------------------------------------------------------------

void ServerSession::done(int error, Effect effect, std::string_view path, std::string_view other) {
  if (error == 0) server_.effects().add(effect, path, other);
  result(error);
}

// RENAME is link() and unlink() in OpenSSH and fails where the new name exists.
void ServerSession::rename(std::string_view from, std::string_view to, bool replace) {
  ModelRef before;
  ModelRef there;
  const bool known = tree_.find(from, false, before) == 0;
  const bool same = known && tree_.find(to, false, there) == 0 && there == before;
  const int error = tree_.rename(from, to, replace, server_.now());
  if (error == 0 && same) return result(0);  // two names of one file: nothing happens
  done(error, Effect::kRename, from, to);
}

void ServerSession::readlink(Reader& body) {
  ModelRef node;
  const int error = tree_.find(body.string(kStringMax), false, node);
  if (error != 0) return result(error);
  if (!node->is_link()) return result(EINVAL);
  Writer writer(PacketType::kName);
  writer.u32(1).string(node->content).string(node->content).attrs(sftp::Attrs());
  reply(std::move(writer));
}

void ServerSession::realpath(Reader& body) {
  const std::string_view path = body.string(kStringMax);
  const std::string_view resolved = path == "." ? std::string_view("/") : path;
  Writer writer(PacketType::kName);
  writer.u32(1).string(resolved).string(resolved).attrs(sftp::Attrs());
  reply(std::move(writer));
}

// --- Attributes ---------------------------------------------------------------------------------

void ServerSession::stat(std::string_view path, bool follow) {
  if (path == ".") path = "/";  // the login directory
  ModelRef node;
  if (const int error = tree_.find(path, follow, node); error != 0) return result(error);
  send_attrs(*node);
}

void ServerSession::fstat(Reader& body) {
  const Handle* at = handle(body.string(kStringMax));
  if (at == nullptr) return status(sftp::kFxFailure);
  send_attrs(*at->node);
}

int ServerSession::change(ModelNode& node, const sftp::Attrs& attrs) {
  if (attrs.has(sftp::kAttrSize)) ModelTree::truncate(node, attrs.size, server_.now());
  if (attrs.has(sftp::kAttrPermissions)) {
    node.mode = (node.mode & ~kPermissionBits) | (attrs.permissions & kPermissionBits);
  }
  if (attrs.has(sftp::kAttrTimes)) {
    node.atime = attrs.atime;
    node.mtime = attrs.mtime;
  }
  return attrs.has(sftp::kAttrUidGid) && (attrs.uid != kUser || attrs.gid != kUser) ? EPERM : 0;
}

void ServerSession::setstat(Reader& body) {
  ModelRef node;
  const int error = tree_.find(body.string(kStringMax), true, node);
  const sftp::Attrs attrs = body.attrs();
  if (error != 0) return result(error);
  if (!server_.config().keeps_attrs) return status(sftp::kFxPermissionDenied);
  if (attrs.has(sftp::kAttrSize)) {
    if (node->is_directory()) return result(EISDIR);
    if ((node->mode & S_IWUSR) == 0) return result(EACCES);
  }
  result(change(*node, attrs));
}

void ServerSession::fsetstat(Reader& body) {
  Handle* at = handle(body.string(kStringMax));
  const sftp::Attrs attrs = body.attrs();
  if (at == nullptr) return status(sftp::kFxFailure);
  if (!server_.config().keeps_attrs) return status(sftp::kFxPermissionDenied);
  if (attrs.has(sftp::kAttrSize) && !at->writable) return result(EINVAL);
  result(change(*at->node, attrs));
}

void ServerSession::lsetstat(Reader& body) {
  ModelRef node;
  const int error = tree_.find(body.string(kStringMax), false, node);
  const sftp::Attrs attrs = body.attrs();
  if (error != 0) return result(error);
  if (attrs.has(sftp::kAttrSize)) return status(sftp::kFxBadMessage);
  result(change(*node, attrs));
}

void ServerSession::statvfs() {
  Writer writer(PacketType::kExtendedReply);
  writer.u64(4096).u64(4096).u64(1000).u64(500).u64(400);
  writer.u64(100).u64(50).u64(50).u64(1).u64(0).u64(255);
  reply(std::move(writer));
}

// --- Answers ------------------------------------------------------------------------------------

void ServerSession::version() {
  Writer writer(PacketType::kVersion, sftp::kProtocolVersion);
  const auto offer = [&writer](std::string_view name, bool offered) {
    if (offered) writer.string(name).string("1");
  };
  offer(sftp::extension::kPosixRename, server_.config().posix_rename);
  offer(sftp::extension::kFsync, server_.config().fsync);
  writer.string(sftp::extension::kStatvfs).string("2");
  for (const std::string_view name : {sftp::extension::kHardlink, sftp::extension::kLsetstat,
                                      sftp::extension::kLimits, sftp::extension::kCopyData}) {
    offer(name, true);
  }
  const sftp::Packet packet = std::move(writer).finish();
  answers_->append(reinterpret_cast<const char*>(packet.data()), packet.size());
}

void ServerSession::reply(Writer writer) {
  sftp::Packet packet = std::move(writer).finish();
  sftp::stamp(packet, id_);
  answers_->append(reinterpret_cast<const char*>(packet.data()), packet.size());
}

void ServerSession::status(std::uint32_t code) {
  if (code != sftp::kFxOk) trace_.add("    server {}: #{} is refused with {}", number_, id_, code);
  Writer writer(PacketType::kStatus);
  writer.u32(code).string("").string("");
  reply(std::move(writer));
}

void ServerSession::result(int error) { status(portable(error)); }

void ServerSession::send_attrs(const ModelNode& node) {
  Writer writer(PacketType::kAttrs);
  writer.attrs(attrs_of(node));
  reply(std::move(writer));
}

}  // namespace sftpfs::sim
