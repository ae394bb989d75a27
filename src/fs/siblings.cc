// See siblings.h.
#include "fs/siblings.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace sftpfs::fs {
namespace {

constexpr Duration kIdle = std::chrono::minutes(1);

}  // namespace

Siblings::Siblings(runtime::Loop& loop, const ClientRef& first, const sftp::SessionOptions& options)
    : loop_(loop),
      first_(first),
      ping_interval_(options.ping_interval),
      missed_pings_max_(options.missed_pings_max),
      idle_(loop) {}

bool Siblings::possible() const {
  const ClientRef first = first_.lock();
  return first && !refused_ && !cancel_->cancelled() && first->may_have_siblings();
}

std::vector<ClientRef> Siblings::all() {
  std::vector<ClientRef> living;
  for (const Sibling& each : all_) {
    if (each.client->alive()) living.push_back(each.client);
  }
  return living;
}

void Siblings::grow(std::size_t count) {
  wanted_at_ = loop_.now();
  std::erase_if(all_, [](const Sibling& each) { return !each.client->alive(); });
  const ClientRef first = first_.lock();
  while (first && possible() && all_.size() + opening_ < count) {
    ++opening_;
    runtime::spawn(open(shared_from_this(), first));
  }
}

runtime::Task<void> Siblings::open(std::shared_ptr<Siblings> self, ClientRef first) {
  auto opened = co_await first->open_sibling(self->cancel_.get());
  --self->opening_;
  if (!opened) {
    self->refused_ = true;
    log_debug("no further channel: {}", opened.error().describe());
  } else if (!self->cancel_->cancelled()) {
    self->add(std::move(*opened));
  }
}

void Siblings::add(ClientRef sibling) {
  sftp::Client& client = *sibling;
  const auto on_dead = [&client] { client.kill("the server has been silent on a channel"); };
  auto liveness =
      std::make_unique<sftp::Liveness>(loop_, client, ping_interval_, missed_pings_max_, on_dead);
  all_.push_back(Sibling{std::move(sibling), std::move(liveness)});
  idle_.start_after(kIdle, [this] { sweep(); });
}

void Siblings::sweep() {
  const bool used = std::any_of(all_.begin(), all_.end(),
                                [](const Sibling& each) { return each.client.use_count() > 1; });
  if (used || loop_.now() < wanted_at_ + kIdle) {
    idle_.start_after(kIdle, [this] { sweep(); });
  } else {
    all_.clear();
  }
}

void Siblings::end(const std::string& why) {
  cancel_->cancel(runtime::CancelReason::kShutdown);
  idle_.cancel();
  for (const Sibling& sibling : std::exchange(all_, {})) sibling.client->kill(why);
}

}  // namespace sftpfs::fs
