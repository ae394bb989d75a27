// See client.h. Each operation encodes its request and names the decoder of its answer; the work
// is done by the engine.
#include "sftp/client.h"

#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "sftp/encode.h"
#include "sftp/engine.h"
#include "sftp/read_op.h"
#include "sftp/readdir_op.h"
#include "sftp/write_op.h"

namespace sftpfs::sftp {
namespace {

Error unsupported(std::string_view extension) {
  return Error(ErrorCode::kUnsupported, fmt::format("the server does not offer {}", extension));
}

Call<void> call_status(Engine& engine, Queue queue, Packet packet) {
  return engine.call<void>(queue, std::move(packet), PacketType::kStatus, decode_status);
}

Call<Attrs> call_attrs(Engine& engine, Queue queue, Packet packet) {
  return engine.call<Attrs>(queue, std::move(packet), PacketType::kAttrs, decode_attrs);
}

Call<std::string> call_path(Engine& engine, Packet packet) {
  return engine.call<std::string>(Queue::kMetadata, std::move(packet), PacketType::kName,
                                  decode_path);
}

Call<StatVfs> call_statvfs(Engine& engine, Packet packet) {
  return engine.call<StatVfs>(Queue::kMetadata, std::move(packet), PacketType::kExtendedReply,
                              decode_statvfs);
}

// A handle that nobody is there to take is closed, or the server would run out of them.
Call<Handle> call_handle(const std::shared_ptr<Engine>& engine, Packet packet) {
  auto state = std::make_shared<CallState<Handle>>();
  state->if_unclaimed([weak = std::weak_ptr<Engine>(engine)](const Result<Handle>& handle) {
    const std::shared_ptr<Engine> self = weak.lock();
    if (!handle || !self || !self->alive()) return;
    call_status(*self, Queue::kMetadata, encode_handle(PacketType::kClose, *handle)).forget();
  });
  return engine->call<Handle>(std::move(state), Queue::kMetadata, std::move(packet),
                              PacketType::kHandle, decode_handle);
}

}  // namespace

runtime::Task<Result<std::unique_ptr<Client>>> Client::start(
    std::unique_ptr<runtime::ByteStream> stream, runtime::Cancel* cancel) {
  auto engine = std::make_shared<Engine>(*runtime::Loop::current(), std::move(stream));
  auto client = std::make_unique<Client>(engine);
  Call<Extensions> hello = engine->begin();
  Result<Extensions> extensions = co_await hello.until(cancel);
  if (!extensions) co_return fail(std::move(extensions).error());
  if (extensions->limits) {
    Call<Limits> ask = engine->call<Limits>(Queue::kMetadata, encode_limits(),
                                            PacketType::kExtendedReply, decode_limits);
    Result<Limits> limits = co_await ask.until(cancel);
    if (limits) {
      engine->set_limits(*limits);
    } else if (!limits.error().is(ErrorCode::kSftpStatus)) {
      co_return fail(std::move(limits).error());
    }
  }
  co_return std::move(client);
}

runtime::Task<Result<std::unique_ptr<Client>>> Client::open_sibling(runtime::Cancel* cancel) const {
  if (!alive()) co_return fail(engine_->lost_error());
  const Limits limits = engine_->limits();
  const bool follows_links = follow_links_;
  // From here on this client may go.
  auto stream = co_await engine_->stream().open_sibling(cancel);
  if (!stream) co_return fail(std::move(stream).error());
  auto engine = std::make_shared<Engine>(*runtime::Loop::current(), std::move(*stream));
  auto sibling = std::make_unique<Client>(engine);
  sibling->follow_links_ = follows_links;
  Call<Extensions> hello = engine->begin();
  const Result<Extensions> extensions = co_await hello.until(cancel);
  if (!extensions) co_return fail(extensions.error());
  engine->set_limits(limits);
  co_return std::move(sibling);
}

bool Client::may_have_siblings() const {
  return engine_->alive() && engine_->stream().may_have_siblings();
}

Client::Client(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
Client::~Client() = default;

bool Client::alive() const { return engine_->alive(); }
const Error& Client::cause_of_death() const { return engine_->cause(); }
void Client::on_death(std::function<void()> callback) { engine_->on_death(std::move(callback)); }
void Client::kill(const std::string& why) {
  engine_->die(Error(ErrorCode::kConnectionLost, why), false);
}

const Limits& Client::limits() const { return engine_->limits(); }
const Extensions& Client::extensions() const { return engine_->extensions(); }
const ClientStats& Client::stats() const { return engine_->stats(); }
LinkEstimate Client::link() const { return engine_->link(); }
const std::string& Client::description() const { return engine_->description(); }
TimePoint Client::last_heard() const { return engine_->last_heard(); }
bool Client::output_pending() const { return engine_->output_pending(); }
std::uint64_t Client::bytes_delivered() const { return engine_->bytes_delivered(); }
void Client::set_receive_window(std::size_t bytes) { engine_->set_receive_window(bytes); }
Call<void> Client::drained() { return engine_->drained(); }

// --- Attributes ---------------------------------------------------------------------------------

Call<Attrs> Client::stat(const std::string& path, Queue queue) {
  return call_attrs(*engine_, queue, encode_path(PacketType::kStat, path));
}

Call<Attrs> Client::lstat(const std::string& path, Queue queue) {
  return call_attrs(*engine_, queue,
                    encode_path(follow_links_ ? PacketType::kStat : PacketType::kLstat, path));
}

Call<Attrs> Client::fstat(const Handle& handle, Queue queue) {
  return call_attrs(*engine_, queue, encode_handle(PacketType::kFstat, handle));
}

Call<void> Client::setstat(const std::string& path, const Attrs& attrs, Queue queue) {
  return call_status(*engine_, queue, encode_path_attrs(PacketType::kSetstat, path, attrs));
}

Call<void> Client::fsetstat(const Handle& handle, const Attrs& attrs, Queue queue) {
  return call_status(*engine_, queue, encode_fsetstat(handle, attrs));
}

Call<void> Client::lsetstat(const std::string& path, const Attrs& attrs) {
  if (!extensions().lsetstat) return Call<void>(unsupported(extension::kLsetstat));
  return call_status(*engine_, Queue::kMetadata, encode_lsetstat(path, attrs));
}

// --- Files --------------------------------------------------------------------------------------

Call<Handle> Client::open(const std::string& path, std::uint32_t flags, const Attrs& attrs) {
  return call_handle(engine_, encode_open(path, flags, attrs));
}

Call<void> Client::close(const Handle& handle, Queue queue) {
  return call_status(*engine_, queue, encode_handle(PacketType::kClose, handle));
}

Call<std::size_t> Client::read(const Handle& handle, std::uint64_t offset, MutableByteSpan into,
                               std::uint64_t known_size, Queue queue) {
  return ReadOp::start(*engine_, ReadArgs{handle, offset, into, known_size, queue});
}

Call<void> Client::write(const Handle& handle, std::uint64_t offset, SharedBytes data) {
  return WriteOp::start(*engine_, handle, offset, std::move(data));
}

Call<void> Client::fsync(const Handle& handle) {
  if (!extensions().fsync) return Call<void>(unsupported(extension::kFsync));
  return call_status(*engine_, Queue::kBulk, encode_extended_string(extension::kFsync, handle));
}

Call<void> Client::copy_data(const Handle& from, std::uint64_t from_offset, std::uint64_t length,
                             const Handle& to, std::uint64_t to_offset) {
  if (!extensions().copy_data) return Call<void>(unsupported(extension::kCopyData));
  return call_status(*engine_, Queue::kBulk,
                     encode_copy_data(from, from_offset, length, to, to_offset));
}

// --- Names --------------------------------------------------------------------------------------

Call<Handle> Client::opendir(const std::string& path) {
  return call_handle(engine_, encode_path(PacketType::kOpendir, path));
}

Call<std::vector<DirEntry>> Client::readdir(const Handle& handle) {
  return ReaddirOp::start(*engine_, handle);
}

Call<void> Client::mkdir(const std::string& path, const Attrs& attrs) {
  return call_status(*engine_, Queue::kMetadata,
                     encode_path_attrs(PacketType::kMkdir, path, attrs));
}

Call<void> Client::rmdir(const std::string& path) {
  return call_status(*engine_, Queue::kMetadata, encode_path(PacketType::kRmdir, path));
}

Call<void> Client::remove(const std::string& path) {
  return call_status(*engine_, Queue::kMetadata, encode_path(PacketType::kRemove, path));
}

Call<void> Client::rename(const std::string& from, const std::string& to) {
  return call_status(*engine_, Queue::kMetadata, encode_two_paths(PacketType::kRename, from, to));
}

Call<void> Client::posix_rename(const std::string& from, const std::string& to) {
  if (!extensions().posix_rename) return Call<void>(unsupported(extension::kPosixRename));
  return call_status(*engine_, Queue::kMetadata,
                     encode_extended_paths(extension::kPosixRename, from, to));
}

Call<void> Client::hardlink(const std::string& existing, const std::string& link) {
  if (!extensions().hardlink) return Call<void>(unsupported(extension::kHardlink));
  return call_status(*engine_, Queue::kMetadata,
                     encode_extended_paths(extension::kHardlink, existing, link));
}

Call<void> Client::symlink(const std::string& target, const std::string& link) {
  return call_status(*engine_, Queue::kMetadata,
                     encode_two_paths(PacketType::kSymlink, target, link));
}

Call<std::string> Client::readlink(const std::string& path) {
  return call_path(*engine_, encode_path(PacketType::kReadlink, path));
}

Call<std::string> Client::realpath(const std::string& path) {
  return call_path(*engine_, encode_path(PacketType::kRealpath, path));
}

Call<std::string> Client::expand_path(const std::string& path) {
  if (!extensions().expand_path) return Call<std::string>(unsupported(extension::kExpandPath));
  return call_path(*engine_, encode_extended_string(extension::kExpandPath, path));
}

Call<std::string> Client::home_directory(const std::string& user) {
  if (!extensions().home_directory) {
    return Call<std::string>(unsupported(extension::kHomeDirectory));
  }
  return call_path(*engine_, encode_extended_string(extension::kHomeDirectory, user));
}

Call<StatVfs> Client::statvfs(const std::string& path) {
  if (!extensions().statvfs) return Call<StatVfs>(unsupported(extension::kStatvfs));
  return call_statvfs(*engine_, encode_extended_string(extension::kStatvfs, path));
}

Call<StatVfs> Client::fstatvfs(const Handle& handle) {
  if (!extensions().fstatvfs) return Call<StatVfs>(unsupported(extension::kFstatvfs));
  return call_statvfs(*engine_, encode_extended_string(extension::kFstatvfs, handle));
}

Call<UserGroupNames> Client::users_groups_by_id(const std::vector<std::uint32_t>& uids,
                                                const std::vector<std::uint32_t>& gids) {
  if (!extensions().users_groups_by_id) {
    return Call<UserGroupNames>(unsupported(extension::kUsersGroupsById));
  }
  return engine_->call<UserGroupNames>(
      Queue::kMetadata, encode_users_groups_by_id(uids, gids), PacketType::kExtendedReply,
      [users = uids.size(), groups = gids.size()](const Reply& reply) {
        return decode_users_groups(reply, users, groups);
      });
}

}  // namespace sftpfs::sftp
