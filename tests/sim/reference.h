// Reference: what the applications of a schedule know their files to be, and what the kernel
// remembers of them. It is written without a look at the code under test or at the model server.
//
// Ownership: directories own their entries, descriptors share files.
// Threads:   one thread.
// Limits:    regular files, directories and symbolic links; permissions are those of the owner.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "runtime/loop.h"
#include "sim/effects.h"
#include "sim/model_tree.h"

namespace sftpfs::sim {

// The kernel's lock of a directory, held while its names change. Coroutines of any loop.
class DirectoryLock {
 public:
  class Awaiter {
   public:
    explicit Awaiter(DirectoryLock& lock) : lock_(lock) {}
    bool await_ready() { return !std::exchange(lock_.held_, true); }
    void await_suspend(std::coroutine_handle<> waiter) {
      lock_.waiters_.emplace_back(runtime::Loop::current(), waiter);
    }
    void await_resume() const {}

   private:
    DirectoryLock& lock_;
  };
  Awaiter acquire() { return Awaiter(*this); }
  void release() {
    if (waiters_.empty()) {
      held_ = false;
      return;
    }
    const auto [loop, waiter] = waiters_.front();
    waiters_.pop_front();
    loop->post_resume(waiter);
  }

 private:
  bool held_ = false;
  std::deque<std::pair<runtime::Loop*, std::coroutine_handle<>>> waiters_;
};

enum class RefType : std::uint8_t { kFile, kDirectory, kLink };

struct RefNode;
using RefPtr = std::shared_ptr<RefNode>;

struct RefEntry {
  std::string name;
  RefPtr node;
  TimePoint valid_until{};  // the kernel asks again afterwards
};

struct RefNode {
  RefType type = RefType::kFile;
  std::uint32_t mode = 0;  // permission bits
  std::string content;     // of a file; the target of a link
  bool mtime_set = false;  // by an application, and nothing has been written since
  std::uint32_t mtime = 0;
  unsigned names = 0;
  unsigned opens = 0;
  unsigned open_writers = 0;
  bool uncertain = false;  // content that nobody can look at any more

  // Of a directory.
  RefNode* parent = nullptr;
  std::string name;
  std::vector<RefEntry> entries;
  DirectoryLock lock;

  // What the kernel knows it by; 0: nothing.
  std::uint64_t ino = 0;

  RefEntry* entry(std::string_view wanted);
  RefPtr child(std::string_view wanted);
  std::uint32_t mode_with_type() const;
};

class Reference {
 public:
  explicit Reference(std::string root_path);

  const RefPtr& root() const { return root_; }
  // On the server.
  std::string path(const RefNode& directory) const;
  std::string path(const RefNode& directory, std::string_view name) const;

  RefPtr add(RefNode& parent, const std::string& name, RefType type, std::uint32_t mode);
  void add_link(RefNode& parent, const std::string& name, const RefPtr& node);
  void remove(RefNode& parent, const std::string& name);
  // What had the new name loses it.
  void rename(RefNode& from, const std::string& name, RefNode& to, const std::string& new_name);
  EffectLog& effects() { return effects_; }

  // Empty, or the first difference between this and the server.
  std::string difference(const ModelTree& server) const;

 private:
  std::string difference(const RefNode& node, const ModelNode& truth,
                         const std::string& path) const;

  const std::string root_path_;
  RefPtr root_;
  EffectLog effects_;
};

}  // namespace sftpfs::sim
