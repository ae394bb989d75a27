// App: one simulated application and what the kernel does for it: it resolves names, locks
// directories, counts lookups and forgets. It uses files in its own directory and names of its own
// in a common one, so its reference knows every answer exactly, and compares each with it.
//
// An interrupted operation may have happened or not. Then the application waits until nothing it
// has sent can be executed any more, looks at the server itself, and accepts the state before or
// the state after, but nothing else.
//
// Ownership: the World's.
// Threads:   runs on one loop; looks at the model server directly, in the same thread.
// Limits:    one operation at a time, and kDescriptorsMax open files. It does not interrupt what
//            changes the name of an open file: nobody could tell what the file is called then.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fs/errno_map.h"
#include "fs/filesystem.h"
#include "runtime/task.h"
#include "runtime/wait_list.h"
#include "sim/random.h"
#include "sim/reference.h"
#include "sim/world.h"

namespace sftpfs::sim {

class App {
 public:
  App(World& world, unsigned number, RefPtr home, Random random);

  runtime::Task<void> run();
  bool ended() const { return ended_; }
  // From now on it closes what it has open.
  void may_close();
  bool closed() const { return closed_; }

 private:
  static constexpr std::size_t kDescriptorsMax = 4;
  // One operation's context, and perhaps the moment at which it is interrupted.
  class Wait;
  struct Descriptor {
    std::uint64_t handle = 0;
    RefPtr node;
    bool readable = false;
    bool writable = false;
    bool append = false;
    unsigned losses_at_open = 0;  // of connections, before it was opened
  };
  struct Place {
    RefPtr directory;
    std::string name;
    RefPtr node;  // null: nothing has the name
  };
  enum class Verdict : std::uint8_t { kDone, kRefused, kInterrupted };

  // workload.cc
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool one_in(std::uint64_t n) { return random_.one_in(n); }
  void fail(const std::string& what);
  // Compares an errno with the reference's.
  Verdict judge(const std::string& what, int error, int expected, const Wait& wait);
  // As judge(); ESTALE is also right where a removed file's connection may have died.
  Verdict judge(const std::string& what, int error, int expected, const Wait& wait,
                const Descriptor& descriptor);
  bool may_be_stale(const Descriptor& descriptor) const;
  bool in_doubt(const Descriptor& descriptor) const;
  runtime::Task<void> step();
  runtime::Task<void> close_all();
  // Ends when nothing that was sent before can be executed any more.
  runtime::Task<void> settle();
  ModelRef on_server(const RefNode& directory, const std::string& name) const;
  // Any name of the node on the server; null if it has none.
  ModelRef on_server(const RefPtr& node) const;

  // workload_walk.cc: choosing, resolving, attributes
  RefPtr pick_directory(bool private_only);
  Place pick(bool existing);
  std::string fresh_name(const RefNode& directory, bool link);
  bool is_own(const RefNode& directory, const std::string& name) const;
  runtime::Task<int> reach(RefPtr directory);
  runtime::Task<int> look(RefPtr directory, std::string name);
  void entered(RefNode& directory, const std::string& name, const fs::EntryReply& reply);
  void check_attr(const std::string& what, const fs::FileAttr& attr, const RefNode& node,
                  const ModelRef& truth);
  void forget_one();
  void drop(const RefPtr& node);  // by the kernel, if nobody uses it
  void disown(RefNode& node);     // nobody knows what the file system calls it now
  static bool fragile(const RefNode& node);
  runtime::Task<void> stat();
  runtime::Task<void> list();
  runtime::Task<void> statfs();
  runtime::Task<void> read_shared();

  // workload_names.cc
  runtime::Task<void> mkdir();
  runtime::Task<void> symlink();
  runtime::Task<void> make_link();
  runtime::Task<void> take_back(Place place);
  runtime::Task<void> readlink();
  runtime::Task<void> remove(bool directory);
  runtime::Task<void> rename();
  runtime::Task<void> rename_locked(Place source, Place target, bool replace);
  static int rename_error(const Place& source, const Place& target, bool replace);
  void made(const Place& place, RefType type, std::uint32_t mode, const std::string& target,
            const Result<fs::EntryReply>& reply);
  void made_but_interrupted(const Place& place, RefType type, std::uint32_t mode,
                            const fs::EntryReply& reply);
  void made_or_not(const Place& place, RefType type, const std::string& target);

  // workload_files.cc
  runtime::Task<void> open();
  runtime::Task<void> open_existing(Place place, int flags);
  runtime::Task<void> create(Place place, int flags);
  runtime::Task<void> write();
  runtime::Task<bool> write_at(Descriptor descriptor, std::uint64_t offset, std::string data);
  runtime::Task<void> read();
  runtime::Task<void> read_from(Descriptor descriptor, std::uint64_t offset, std::size_t size);
  runtime::Task<void> fstat();
  runtime::Task<void> sync(bool to_disk);
  runtime::Task<void> close(std::size_t index, bool interruptible);
  runtime::Task<void> change();
  runtime::Task<void> change_node(Place place, fs::SetAttr change, std::uint64_t handle);
  // After an interruption: the content is `before` or `after`; both may be the same.
  runtime::Task<void> find_out(RefPtr node, std::string before, std::string after);
  void add_descriptor(std::uint64_t handle, const RefPtr& node, int flags, unsigned losses);

  World& world_;
  fs::Filesystem& fs_;
  const unsigned number_;
  const RefPtr home_;
  Random random_;
  std::vector<Descriptor> descriptors_;
  runtime::WaitList may_close_;
  bool closing_ = false;
  bool ended_ = false;
  bool closed_ = false;
};

class App::Wait {
 public:
  Wait(App& app, bool interruptible);
  fs::OperationContext op;
  bool interrupted() const { return op.cancel->cancelled(); }

 private:
  runtime::Timer timer_;
};

template <class T>
int errno_of(const Result<T>& result, fs::Attempt attempt) {
  return result ? 0 : fs::to_errno(result.error(), attempt);
}

}  // namespace sftpfs::sim
