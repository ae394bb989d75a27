// App: operations that change names. See workload.h.
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "sim/workload.h"

namespace sftpfs::sim {

using fs::Attempt;

// --- Making -------------------------------------------------------------------------------------

// The file system has made something and says so.
void App::made(const Place& place, RefType type, std::uint32_t mode, const std::string& target,
               const Result<fs::EntryReply>& reply) {
  const RefPtr node = world_.reference().add(*place.directory, place.name, type, mode);
  node->content = target;
  world_.looked_up(reply->ino);
  entered(*place.directory, place.name, *reply);
}

// It was made, but the server's umask may have kept the mode from being what was wanted.
void App::made_but_interrupted(const Place& place, RefType type, std::uint32_t mode,
                               const fs::EntryReply& reply) {
  const ModelRef there = on_server(*place.directory, place.name);
  world_.looked_up(reply.ino);
  if (!there) return fail(place.name + " was made, but is not there");
  const std::uint32_t masked = mode & ~world_.server().config().umask;
  const std::uint32_t found = there->mode & 07777U;
  if (found != mode && found != masked) fail(place.name + " was made with another mode");
  world_.reference().add(*place.directory, place.name, type, found)->ino = reply.ino;
}

// Nobody has said whether it was made.
void App::made_or_not(const Place& place, RefType type, const std::string& target) {
  const ModelRef there = on_server(*place.directory, place.name);
  if (!there) return;
  const RefPtr node =
      world_.reference().add(*place.directory, place.name, type, there->mode & 07777U);
  if (type == RefType::kLink) node->mode = 0777;
  node->content = target;
  if (there->mode != node->mode_with_type() ||
      (type != RefType::kDirectory && there->content != target)) {
    fail(place.name + ": an interrupted making has made something else");
  }
}

runtime::Task<void> App::mkdir() {
  const Place place = pick(one_in(8));
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  co_await place.directory->lock.acquire();
  const int found = co_await look(place.directory, place.name);
  if (found == ENOENT) {
    const std::uint32_t mode = 0700U | static_cast<std::uint32_t>(below(0100));
    Wait wait(*this, true);
    const Result<fs::EntryReply> reply =
        co_await fs_.mkdir(wait.op, place.directory->ino, place.name, mode);
    const std::string what = "mkdir " + world_.reference().path(*place.directory, place.name);
    const Verdict verdict = judge(what, errno_of(reply, Attempt::kCreate), 0, wait);
    if (verdict == Verdict::kInterrupted) {
      co_await settle();
      made_or_not(place, RefType::kDirectory, {});
    } else if (verdict == Verdict::kDone && wait.interrupted()) {
      co_await settle();
      made_but_interrupted(place, RefType::kDirectory, mode, *reply);
    } else if (verdict == Verdict::kDone) {
      made(place, RefType::kDirectory, mode, {}, reply);
    }
  }
  place.directory->lock.release();
}

runtime::Task<void> App::symlink() {
  Place place = pick(false);
  place.name = fresh_name(*place.directory, true);
  place.node = place.directory->child(place.name);
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  co_await place.directory->lock.acquire();
  const int found = co_await look(place.directory, place.name);
  if (found == ENOENT) {
    const std::string target(1 + below(40), static_cast<char>('A' + below(26)));
    Wait wait(*this, true);
    const Result<fs::EntryReply> reply =
        co_await fs_.symlink(wait.op, target, place.directory->ino, place.name);
    const std::string what = "symlink " + world_.reference().path(*place.directory, place.name);
    const Verdict verdict = judge(what, errno_of(reply, Attempt::kCreate), 0, wait);
    if (verdict == Verdict::kInterrupted) {
      co_await settle();
      made_or_not(place, RefType::kLink, target);
    } else if (verdict == Verdict::kDone) {
      made(place, RefType::kLink, 0777, target, reply);
    }
  }
  place.directory->lock.release();
}

runtime::Task<void> App::make_link() {
  const Place source = pick(true);
  if (!source.node || source.node->type != RefType::kFile) co_return;
  Place place = pick(false);
  const int source_reached = co_await reach(source.directory);
  if (source_reached != 0) co_return;
  const int source_found = co_await look(source.directory, source.name);
  if (source_found != 0) co_return;
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  co_await place.directory->lock.acquire();
  const int found = co_await look(place.directory, place.name);
  if (found == ENOENT) {
    Wait wait(*this, true);
    const Result<fs::EntryReply> reply =
        co_await fs_.link(wait.op, source.node->ino, place.directory->ino, place.name);
    const std::string what = "link " + world_.reference().path(*source.directory, source.name) +
                             " to " + world_.reference().path(*place.directory, place.name);
    const Verdict verdict = judge(what, errno_of(reply, Attempt::kCreate), 0, wait);
    if (verdict == Verdict::kInterrupted) {
      co_await settle();
      if (on_server(*place.directory, place.name)) {
        world_.reference().add_link(*place.directory, place.name, source.node);
        co_await take_back(place);
      }
    } else if (verdict == Verdict::kDone) {
      world_.reference().add_link(*place.directory, place.name, source.node);
      world_.looked_up(reply->ino);
      // The server was not asked: what may not be kept is a guess.
      if (reply->attr_timeout_s > 0) entered(*place.directory, place.name, *reply);
    }
  }
  place.directory->lock.release();
}

// A second name of which the file system does not know that it is one would be shown as a file of
// its own, with caches of its own (docs/SEMANTICS.md): it is removed again.
runtime::Task<void> App::take_back(Place place) {
  fs::OperationContext op;
  const Result<fs::EntryReply> entry = co_await fs_.lookup(op, place.directory->ino, place.name);
  if (entry && entry->ino != 0) world_.looked_up(entry->ino);
  Wait wait(*this, false);
  const Status done = co_await fs_.unlink(wait.op, place.directory->ino, place.name);
  judge("unlink of the new link", errno_of(done, Attempt::kRemove), 0, wait);
  world_.reference().remove(*place.directory, place.name);
}

runtime::Task<void> App::readlink() {
  const Place place = pick(true);
  if (!place.node || place.node->type != RefType::kLink) co_return;
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  const int found = co_await look(place.directory, place.name);
  if (found != 0) co_return;
  Wait wait(*this, true);
  const Result<std::string> target = co_await fs_.readlink(wait.op, place.node->ino);
  const Verdict verdict =
      judge("readlink " + place.name, errno_of(target, Attempt::kReadLink), 0, wait);
  if (verdict == Verdict::kDone && *target != place.node->content) {
    fail("readlink " + place.name + " yields another target");
  }
}

// --- Removing -----------------------------------------------------------------------------------

runtime::Task<void> App::remove(bool directory) {
  const Place place = pick(true);
  const bool fits = place.node && (place.node->type == RefType::kDirectory) == directory;
  if (!fits) co_return;  // the kernel says EISDIR or ENOTDIR by itself
  const int reached = co_await reach(place.directory);
  if (reached != 0) co_return;
  co_await place.directory->lock.acquire();
  const int found = co_await look(place.directory, place.name);
  if (found == 0) {
    const int expected = place.node->entries.empty() ? 0 : ENOTEMPTY;
    Wait wait(*this, !fragile(*place.node));
    Status done;
    if (directory) {
      Status removed = co_await fs_.rmdir(wait.op, place.directory->ino, place.name);
      done = std::move(removed);
    } else {
      Status removed = co_await fs_.unlink(wait.op, place.directory->ino, place.name);
      done = std::move(removed);
    }
    const std::string what =
        (directory ? "rmdir " : "unlink ") + world_.reference().path(*place.directory, place.name);
    const Attempt attempt = directory ? Attempt::kRemoveDir : Attempt::kRemove;
    const Verdict verdict = judge(what, errno_of(done, attempt), expected, wait);
    bool gone = verdict == Verdict::kDone;
    if (verdict == Verdict::kInterrupted) {
      co_await settle();
      gone = !on_server(*place.directory, place.name);
      if (gone) disown(*place.node);
    }
    if (gone) {
      world_.reference().remove(*place.directory, place.name);
      drop(place.node);
    }
  }
  place.directory->lock.release();
}

// --- Renaming -----------------------------------------------------------------------------------

// What the kernel or a local file system says; -1: nothing is to be done.
int App::rename_error(const Place& source, const Place& target, bool replace) {
  if (target.node && !replace) return EEXIST;
  for (const RefNode* at = target.directory.get(); at != nullptr; at = at->parent) {
    if (at == source.node.get()) return EINVAL;
  }
  for (const RefNode* at = source.directory.get(); at != nullptr; at = at->parent) {
    if (at == target.node.get()) return ENOTEMPTY;
  }
  if (!target.node) return 0;
  if (source.node == target.node) return -1;
  const bool from_directory = source.node->type == RefType::kDirectory;
  const bool to_directory = target.node->type == RefType::kDirectory;
  if (from_directory && !to_directory) return ENOTDIR;
  if (!from_directory && to_directory) return EISDIR;
  return 0;
}

runtime::Task<void> App::rename() {
  const Place source = pick(true);
  if (!source.node) co_return;
  Place target = pick(one_in(3));
  const int source_reached = co_await reach(source.directory);
  if (source_reached != 0) co_return;
  const int reached = co_await reach(target.directory);
  if (reached != 0) co_return;
  // The common directory is the only one that several applications lock; it comes last.
  const bool one = source.directory == target.directory;
  RefPtr first = source.directory;
  RefPtr second = target.directory;
  if (first == world_.common()) std::swap(first, second);
  co_await first->lock.acquire();
  if (!one) {
    co_await second->lock.acquire();
  }
  co_await rename_locked(source, std::move(target), !one_in(4));
  if (!one) second->lock.release();
  first->lock.release();
}

runtime::Task<void> App::rename_locked(Place source, Place target, bool replace) {
  const int source_found = co_await look(source.directory, source.name);
  if (source_found != 0) co_return;
  const int found = co_await look(target.directory, target.name);
  if (found != 0 && found != ENOENT) co_return;
  if (rename_error(source, target, replace) != 0) co_return;  // the kernel's own answer
  const int expected = target.node && !target.node->entries.empty() ? ENOTEMPTY : 0;
  const bool certain = fragile(*source.node) || (target.node && fragile(*target.node));
  Wait wait(*this, !certain);
  const std::uint32_t flags = replace ? 0U : RENAME_NOREPLACE;
  const Status done = co_await fs_.rename(wait.op, source.directory->ino, source.name,
                                          target.directory->ino, target.name, flags);
  const Verdict verdict =
      judge(fmt::format("rename {} to {}", world_.reference().path(*source.directory, source.name),
                        world_.reference().path(*target.directory, target.name)),
            errno_of(done, Attempt::kRename), expected, wait);
  bool moved = verdict == Verdict::kDone;
  if (verdict == Verdict::kInterrupted) {
    co_await settle();
    moved = !on_server(*source.directory, source.name);
    if (moved) {
      disown(*source.node);
      if (target.node) disown(*target.node);
    }
  }
  if (!moved) co_return;
  world_.reference().rename(*source.directory, source.name, *target.directory, target.name);
  if (target.node) drop(target.node);
}

}  // namespace sftpfs::sim
