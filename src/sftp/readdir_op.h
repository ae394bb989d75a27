// ReaddirOp: one readdir() of a client. Where a reply held nothing but names that are filtered
// out (some servers send "." and ".." alone), it asks again: an empty list means the end.
//
// Ownership: the request table owns it, or the request that follows.
// Threads:   the client's loop only.
// Limits:    a server that goes on sending nothing of use is refused after kRepliesMax replies.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/error.h"
#include "sftp/call.h"
#include "sftp/engine.h"
#include "sftp/types.h"

namespace sftpfs::sftp {

class ReaddirOp final : public PendingReply {
 public:
  static constexpr std::size_t kRepliesMax = 1024;
  using State = CallState<std::vector<DirEntry>>;

  static Call<std::vector<DirEntry>> start(Engine& engine, const Handle& handle);

  ReaddirOp(Engine& engine, Handle handle, std::shared_ptr<State> state, std::size_t replies);
  PacketType expected() const override { return PacketType::kName; }
  void on_reply(const Reply& reply) override;
  void on_lost(const Error& why) override;

 private:
  static Status ask(Engine& engine, const Handle& handle, const std::shared_ptr<State>& state,
                    std::size_t replies);

  Engine& engine_;
  Handle handle_;
  std::shared_ptr<State> state_;
  std::size_t replies_;  // had so far
};

}  // namespace sftpfs::sftp
