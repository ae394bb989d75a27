// See readdir_op.h.
#include "sftp/readdir_op.h"

#include <utility>

#include "sftp/encode.h"

namespace sftpfs::sftp {

Call<std::vector<DirEntry>> ReaddirOp::start(Engine& engine, const Handle& handle) {
  auto state = std::make_shared<State>();
  const Status asked = ask(engine, handle, state, 0);
  if (!asked) return Call<std::vector<DirEntry>>(asked.error());
  return Call<std::vector<DirEntry>>(std::move(state));
}

ReaddirOp::ReaddirOp(Engine& engine, Handle handle, std::shared_ptr<State> state,
                     std::size_t replies)
    : engine_(engine), handle_(std::move(handle)), state_(std::move(state)), replies_(replies) {}

Status ReaddirOp::ask(Engine& engine, const Handle& handle, const std::shared_ptr<State>& state,
                      std::size_t replies) {
  Request request;
  request.pending = std::make_unique<ReaddirOp>(engine, handle, state, replies);
  return engine.submit(Queue::kMetadata, encode_handle(PacketType::kReaddir, handle),
                       std::move(request));
}

void ReaddirOp::on_reply(const Reply& reply) {
  if (!state_->wanted()) return;
  Result<NameList> list = decode_names(reply);
  if (!list) return state_->complete(fail(std::move(list).error()));
  const bool useless = list->received > 0 && list->entries.empty();
  if (!useless) return state_->complete(std::move(list->entries));
  if (replies_ + 1 >= kRepliesMax) {
    return state_->complete(
        fail(ErrorCode::kProtocol, "the server lists a directory without any usable name"));
  }
  const Status asked = ask(engine_, handle_, state_, replies_ + 1);
  if (!asked) state_->complete(fail(asked.error()));
}

void ReaddirOp::on_lost(const Error& why) { state_->complete(fail(why)); }

}  // namespace sftpfs::sftp
