// See journal.h.
#include "fs/journal.h"

#include <functional>
#include <map>
#include <utility>

#include "base/log.h"
#include "fs/ask.h"
#include "fs/file_io.h"
#include "runtime/hop.h"

namespace sftpfs::fs {
namespace {

constexpr std::uint64_t kPendingMax = 4096;
constexpr std::size_t kInFlightMax = 128;
// What one refusal tells of those to come: a full disk stays full for a while.
constexpr Duration kMistrust = std::chrono::seconds(10);

using Kind = JournalEntry::Kind;

// Whether a name is there; what was taken as certain when the change was answered.
using NamesThere = std::map<std::string, bool>;

bool makes(Kind kind) {
  return kind == Kind::kMkdir || kind == Kind::kSymlink || kind == Kind::kCreate ||
         kind == Kind::kLink;
}

bool removes(Kind kind) { return kind == Kind::kRemove || kind == Kind::kRmdir; }

void carry_out(NamesThere& names, const JournalEntry& entry) {
  if (makes(entry.kind)) names[entry.path] = true;
  if (removes(entry.kind)) names[entry.path] = false;
  if (entry.kind == Kind::kRename) {
    names[entry.path] = false;
    names[entry.other] = true;
  }
}

// As it was before the first change of each name.
void note_before(NamesThere& names, const JournalEntry& entry) {
  if (makes(entry.kind)) names.emplace(entry.path, false);
  if (removes(entry.kind)) names.emplace(entry.path, true);
  if (entry.kind == Kind::kRename) {
    names.emplace(entry.path, true);
    names.emplace(entry.other, entry.replaces);
  }
}

}  // namespace

bool Journal::accepting() const {
  if (paused_.load() > 0 || pending() >= kPendingMax || in_doubt_) return false;
  const ClientRef client = slot_.session().current();
  return client && client->alive() && is_trusting();
}

void Journal::mistrust() { trusted_again_.store(clock_.now() + kMistrust); }

bool Journal::is_trusting() const { return clock_.now() >= trusted_again_.load(); }

void Journal::add(JournalEntry entry) {
  items_.push_back(std::make_shared<Item>(std::move(entry), names_in_flux_));
  ++added_;
  pending_.fetch_add(1, std::memory_order_release);
  if (working_) {
    moved_.notify_all();
    return;
  }
  working_ = true;
  runtime::spawn(work());
}

runtime::Task<Status> Journal::settled(runtime::Cancel* cancel) {
  if (pending() == 0) co_return Status();
  co_return co_await runtime::run_on(loop(), settled_here(cancel));
}

runtime::Task<Status> Journal::settled_here(runtime::Cancel* cancel) {
  const std::uint64_t target = added_;
  while (left_ < target) {
    const bool notified = co_await moved_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
  co_return Status();
}

runtime::Task<Result<ClientRef>> Journal::ready_in_order(runtime::Cancel* cancel) {
  while (true) {
    Result<ClientRef> client = co_await slot_.session().ready(cancel);
    if (!client) co_return fail(client.error());
    const bool same = in_flight_ == 0 || sending_ == *client;
    if (same && !in_doubt_ && next_unsent() == nullptr) co_return client;
    const bool notified = co_await moved_.wait(cancel);
    if (!notified) co_return fail(cancel->error());
  }
}

Journal::ItemRef Journal::next_unsent() const {
  for (const ItemRef& item : items_) {
    if (!item->sent) return item;
  }
  return nullptr;
}

std::uint64_t Journal::state_behind(std::uint64_t before, const JournalEntry& entry) {
  const std::hash<std::string> hash;
  std::uint64_t state = before;
  if (entry.kind != Kind::kSetattr) state ^= hash(entry.path);
  if (entry.kind == Kind::kRename && !entry.replaces) state ^= hash(entry.other);
  return state;
}

bool Journal::must_wait(const Item& item) const {
  if (in_flight_ == 0) return false;
  if (in_flight_ >= kInFlightMax || alone_ || item.entry.alone) return true;
  if (item.entry.kind == Kind::kSetattr) return false;
  return states_.count(state_behind(state_, item.entry)) > 0;
}

runtime::Task<void> Journal::work() {
  while (!items_.empty()) {
    const ItemRef next = next_unsent();
    const bool wait = in_doubt_ ? in_flight_ > 0 : next == nullptr || must_wait(*next);
    if (wait) {
      co_await moved_.wait();
      continue;
    }
    if (!in_doubt_ && next->entry.data_first) {
      const std::shared_ptr<FileIo> io = std::exchange(next->entry.data_first, nullptr);
      co_await io->acknowledged_or_lost();
      continue;
    }
    const Result<ClientRef> client = co_await slot_.session().ready(nullptr);
    if (!client) {
      give_up(client.error());
      continue;
    }
    if (in_doubt_) {
      const bool resolved = co_await resolve(*client);
      if (resolved) in_doubt_ = false;
      moved_.notify_all();
      continue;
    }
    if (in_flight_ > 0 && sending_ != *client) {
      co_await moved_.wait();  // for the news that they are lost
      continue;
    }
    sending_ = *client;
    if (in_flight_ == 0) {
      states_ = {0};
      state_ = 0;
    }
    next->sent = true;
    ++in_flight_;
    alone_ = next->entry.alone;
    state_ = state_behind(state_, next->entry);
    states_.insert(state_);
    runtime::spawn(transmit(next, *client));
    if (next_unsent() == nullptr) moved_.notify_all();
  }
  working_ = false;
  sending_.reset();
}

runtime::Task<void> Journal::transmit(ItemRef item, ClientRef client) {
  JournalAnswer answer = co_await ask(item, client);
  --in_flight_;
  alone_ = false;
  if (was_lost(answer.status)) {
    in_doubt_ = true;
  } else {
    answered(item, answer);
  }
  moved_.notify_all();
}

runtime::Task<JournalAnswer> Journal::ask(ItemRef item, ClientRef client) {
  const JournalEntry& entry = item->entry;
  JournalAnswer answer;
  if (entry.kind == Kind::kCreate) {
    Result<sftp::Handle> handle = co_await client->open(entry.path, entry.open_flags, entry.attrs);
    if (handle) {
      answer.client = client;
      answer.handle = std::move(*handle);
    } else {
      answer.status = fail(handle.error());
    }
    co_return answer;
  }
  std::optional<sftp::Call<void>> call;
  switch (entry.kind) {
    case Kind::kMkdir: call.emplace(client->mkdir(entry.path, entry.attrs)); break;
    case Kind::kSymlink: call.emplace(client->symlink(entry.other, entry.path)); break;
    case Kind::kLink: call.emplace(client->hardlink(entry.other, entry.path)); break;
    case Kind::kRemove: call.emplace(client->remove(entry.path)); break;
    case Kind::kRmdir: call.emplace(client->rmdir(entry.path)); break;
    case Kind::kRename:
      call.emplace(entry.replaces ? client->posix_rename(entry.path, entry.other)
                                  : client->rename(entry.path, entry.other));
      break;
    default: call.emplace(client->setstat(entry.path, entry.attrs)); break;
  }
  Status status = co_await call->until(nullptr);
  answer.status = std::move(status);
  co_return answer;
}

// They are the oldest of the queue, one behind the other.
runtime::Task<bool> Journal::resolve(ClientRef client) {
  std::vector<ItemRef> doubtful;
  NamesThere expected;
  for (const ItemRef& item : items_) {
    if (!item->sent) break;
    doubtful.push_back(item);
    note_before(expected, item->entry);
  }
  std::vector<sftp::Call<sftp::Attrs>> looks;
  looks.reserve(expected.size());
  for (const auto& [name, there] : expected) looks.push_back(client->lstat(name));
  NamesThere found;
  auto look = looks.begin();
  for (const auto& [name, there] : expected) {
    const Result<sftp::Attrs> attrs = co_await look->until(nullptr);
    if (was_lost(attrs)) co_return false;
    found[name] = attrs.has_value();
    ++look;
  }
  std::size_t made = 0;
  while (made < doubtful.size() && expected != found) {
    carry_out(expected, doubtful[made]->entry);
    ++made;
  }
  // Somebody else was there: they are tried again from the first on, and what fails is told.
  if (expected != found) made = 0;
  for (std::size_t i = 0; i < doubtful.size(); ++i) {
    if (i < made) {
      answered(doubtful[i], JournalAnswer());
    } else {
      doubtful[i]->sent = false;
    }
  }
  co_return true;
}

void Journal::answered(const ItemRef& item, const JournalAnswer& answer) {
  if (!answer.status) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    mistrust();
  }
  item->answered = true;
  item->entry.done(answer);
  item->entry.done = nullptr;
  while (!items_.empty() && items_.front()->answered) {
    items_.pop_front();
    ++left_;
    pending_.fetch_sub(1, std::memory_order_release);
  }
}

// The session is closed for good.
void Journal::give_up(const Error& why) {
  log_error("{} changes of names or attributes did not reach the server: {}", items_.size(),
            why.describe());
  JournalAnswer lost;
  lost.status = fail(why);
  in_doubt_ = false;
  const std::deque<ItemRef> all = items_;
  for (const ItemRef& item : all) {
    if (!item->answered) answered(item, lost);
  }
  moved_.notify_all();
}

}  // namespace sftpfs::fs
