// ask(): sends an idempotent request until there is an answer, across lost connections.
//
// `send` is called on the slot's loop with a live client and returns the Call to await. The wait
// for a connection and for the answer ends with `cancel`.
#pragma once

#include "fs/worker.h"
#include "runtime/task.h"
#include "sftp/client.h"

namespace sftpfs::fs {

// The connection ended before the answer came: whether the request was carried out is not known.
template <class T>
bool was_lost(const Result<T>& result) {
  return !result && result.error().is(ErrorCode::kConnectionLost);
}

// Whether the server itself has refused the request.
template <class T>
bool was_refused(const Result<T>& result) {
  return !result && result.error().is(ErrorCode::kSftpStatus);
}

template <class T, class Send>
runtime::Task<Result<T>> ask(SessionSlot& slot, runtime::Cancel* cancel, Send send) {
  while (true) {
    Result<ClientRef> client = co_await slot.session().ready(cancel);
    if (!client) co_return fail(client.error());
    sftp::Call<T> call = send(**client);
    Result<T> result = co_await call.until(cancel);
    if (!was_lost(result)) co_return result;
  }
}

}  // namespace sftpfs::fs
