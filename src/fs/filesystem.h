// Filesystem: one coroutine for each file system operation, in terms of inodes and handles.
//
// src/fs/fuse turns kernel requests into these calls and their results into replies; tests call
// them without a kernel.
//
// Ownership: one per mount; the Shared it works on outlives it.
// Threads:   an operation runs on the worker whose loop is current when it is called, hops to the
//            loops of sessions as needed and resumes there. OperationContext and references in
//            parameters must outlive the operation.
// Limits:    none of its own; sessions, caches and semaphores below bound what is in flight.
//
// Errors: the caller maps them with to_errno(error, attempt); a kSystem error is already exact.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "fs/creator.h"
#include "fs/directory_prefetch.h"
#include "fs/errno_map.h"
#include "fs/file_prefetch.h"
#include "fs/hot_directories.h"
#include "fs/shared.h"
#include "fs/types.h"
#include "runtime/hop.h"
#include "runtime/task.h"

namespace sftpfs::fs {

class IoShare;

// Takes directory entries one by one until it is full.
class DirectorySink {
 public:
  // `entry` is null where only the name was asked for (or nothing else is known). False: no room,
  // the item was not taken.
  virtual bool add(const DirectoryItem& item, const EntryReply* entry) = 0;

 protected:
  ~DirectorySink() = default;
};

// What a name's attributes must hold to be shown without asking for them.
inline constexpr std::uint32_t kWholeAttributes =
    sftp::kAttrSize | sftp::kAttrPermissions | sftp::kAttrTimes;

template <class T>
using Outcome = runtime::Task<Result<T>>;
using Completion = runtime::Task<Status>;

class Filesystem {
 public:
  explicit Filesystem(Shared& shared);
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;

  Shared& shared() { return shared_; }

  // Before the mount: resolves Options::remote_directory on the first session and makes sure it
  // is a directory.
  Completion start(OperationContext& op);
  // At the end: waits until all accepted bytes are on the server; names in the log what is not.
  Completion drain(OperationContext& op);
  // Forgets handles that nobody will release any more; when no worker runs.
  void discard_handles();

  // Names (ops_lookup.cc, ops_namespace.cc)
  Outcome<EntryReply> lookup(OperationContext& op, std::uint64_t parent, std::string name);
  void forget(std::uint64_t inode, std::uint64_t lookups);
  Outcome<EntryReply> mkdir(OperationContext& op, std::uint64_t parent, std::string name,
                            std::uint32_t mode);
  Outcome<EntryReply> mknod(OperationContext& op, std::uint64_t parent, std::string name,
                            std::uint32_t mode);
  Outcome<EntryReply> symlink(OperationContext& op, std::string target, std::uint64_t parent,
                              std::string name);
  Outcome<EntryReply> link(OperationContext& op, std::uint64_t inode, std::uint64_t parent,
                           std::string name);
  Completion unlink(OperationContext& op, std::uint64_t parent, std::string name);
  Completion rmdir(OperationContext& op, std::uint64_t parent, std::string name);
  Completion rename(OperationContext& op, std::uint64_t parent, std::string name,
                    std::uint64_t new_parent, std::string new_name, std::uint32_t flags);
  Outcome<std::string> readlink(OperationContext& op, std::uint64_t inode);

  // Attributes (ops_attr.cc)
  // With the `handle` of a descriptor: ESTALE if its file was lost. 0: none.
  Outcome<AttrReply> getattr(OperationContext& op, std::uint64_t inode, std::uint64_t handle = 0);
  // `handle` 0: none.
  Outcome<AttrReply> setattr(OperationContext& op, std::uint64_t inode, SetAttr change,
                             std::uint64_t handle);
  Completion access(OperationContext& op, std::uint64_t inode, int mask);
  Outcome<StatFsReply> statfs(OperationContext& op);

  // Files (ops_file.cc, ops_io.cc); `flags` are open(2)'s.
  Outcome<OpenReply> open(OperationContext& op, std::uint64_t inode, int flags);
  Outcome<CreateReply> create(OperationContext& op, std::uint64_t parent, std::string name,
                              std::uint32_t mode, int flags);
  Outcome<ReadReply> read(OperationContext& op, std::uint64_t handle, std::uint64_t offset,
                          std::size_t size_bytes);
  Outcome<std::size_t> write(OperationContext& op, std::uint64_t handle, std::uint64_t offset,
                             SharedBytes data);
  Completion flush(OperationContext& op, std::uint64_t handle);
  Completion fsync(OperationContext& op, std::uint64_t handle);
  Completion release(OperationContext& op, std::uint64_t handle);
  Outcome<std::uint64_t> lseek(OperationContext& op, std::uint64_t inode, std::uint64_t offset,
                               int whence);
  Outcome<std::size_t> copy_file_range(OperationContext& op, std::uint64_t from,
                                       std::uint64_t from_offset, std::uint64_t to,
                                       std::uint64_t to_offset, std::size_t size_bytes);

  // Directories (ops_directory.cc)
  Outcome<OpenReply> opendir(OperationContext& op, std::uint64_t inode);
  Completion readdir(OperationContext& op, std::uint64_t handle, std::uint64_t offset,
                     bool with_attributes, DirectorySink& sink);
  Completion releasedir(OperationContext& op, std::uint64_t handle);
  Completion fsyncdir(OperationContext& op, std::uint64_t inode);

 private:
  // A new object and the attributes that were asked for right behind its making.
  struct Made {
    Made(InodeRef in, std::string as, std::string at, Result<sftp::Attrs> found, AttrToken when)
        : parent(std::move(in)),
          name(std::move(as)),
          path(std::move(at)),
          attrs(std::move(found)),
          token(when) {}
    InodeRef parent;
    std::string name;
    std::string path;
    Result<sftp::Attrs> attrs;
    AttrToken token;
    std::optional<std::uint32_t> mode;  // what the caller wanted; none for a link
    std::uint32_t uid = 0;              // the caller
    std::uint32_t gid = 0;
    bool empty_directory = false;  // made just now, by us
  };

  // A directory (with a mode) or a symbolic link (with a target) to be made.
  struct Making {
    Making(InodeRef in, std::string as) : parent(std::move(in)), name(std::move(as)) {}
    InodeRef parent;
    std::string name;
    std::optional<std::uint32_t> mode;
    std::string target;
  };
  // A file made by an exclusive open.
  struct NewFile {
    ClientRef client;
    sftp::Handle handle;
    sftp::Attrs attrs;
    AttrToken token;
  };

  Result<InodeRef> find(std::uint64_t inode) const;
  Result<OpenFileRef> find_file(std::uint64_t handle) const;
  OpenFileRef find_open(const Inode& inode, bool writable) const;
  FileAttr to_file_attr(const Inode& inode, const sftp::Attrs& attrs) const;
  AttrReply attr_reply(Inode& inode) const;
  EntryReply entry_reply(const InodeRef& inode) const;
  // Enters a name the server has shown. Null if what was shown may be from before a change of ours
  // that nobody remembers: it has to be asked for again.
  InodeRef enter_seen(const InodeRef& parent, const std::string& name, const sftp::Attrs& attrs,
                      const AttrToken& token);

  // A name that we have made or removed, or that may be either; once the server has answered.
  void name_made(Inode& parent, const std::string& name);
  void name_removed(Inode& parent, const std::string& name);
  void name_in_doubt(Inode& parent, const std::string& name) { name_made(parent, name); }
  // The answer of a complete listing; none where there is no telling.
  std::shared_ptr<DirectoryStream> open_known(const InodeRef& directory);
  std::optional<EntryReply> find_listed(const InodeRef& parent, const std::string& name,
                                        const NameAnswer& answer);

  // Enters a name that we have just made; what had it before has gone.
  InodeRef enter_new(const InodeRef& parent, const std::string& name, const sftp::Attrs& attrs,
                     const AttrToken& token);

  // What is answered before the server has done it (ops_ahead.cc); all on the journal's loop.
  bool may_run_ahead(const InodeRef& directory) const;
  bool certainly_absent(const Inode& directory, const std::string& name) const;
  Result<std::string> path_ahead(const Inode& directory, const std::string& name) const;
  std::optional<sftp::Attrs> predict_new(const OperationContext& op, const Inode& directory,
                                         std::uint32_t mode) const;
  bool may_lose_name(const InodeRef& child) const;
  void name_vouched(Inode& parent, const std::string& name, const sftp::Attrs& attrs);
  void names_changed_ahead(Inode& directory);
  void vouch_names(const Inode& inode, const sftp::Attrs& attrs);
  void ahead_ended(JournalEntry::Kind kind, const std::string& path, const Status& status,
                   const InodeRef& parent, const std::string& name, const InodeRef& inode);
  std::function<void(const JournalAnswer&)> when_made(JournalEntry::Kind kind, std::string path,
                                                      InodeRef parent, std::string name,
                                                      InodeRef inode);
  std::optional<EntryReply> make_ahead(const OperationContext& op, const Making& making);
  std::optional<CreateReply> create_ahead(const OperationContext& op, const InodeRef& parent,
                                          const std::string& name, std::uint32_t mode, int flags);
  std::optional<EntryReply> link_ahead(const InodeRef& inode, const InodeRef& parent,
                                       const std::string& name);
  bool remove_ahead(const InodeRef& parent, const std::string& name, bool directory);
  bool rename_ahead(const InodeRef& parent, const std::string& name, const InodeRef& new_parent,
                    const std::string& new_name, bool replace);
  bool setattr_ahead(const InodeRef& inode, const SetAttr& change);
  bool set_ahead(const InodeRef& inode, const sftp::Attrs& wire);
  runtime::Task<void> close_ahead(OpenFileRef file, std::shared_ptr<const IoShare> share);
  runtime::Task<void> leave_as_shown(OpenFileRef file);
  static Status told_late(Inode& inode);
  // What `attempt` answers early; nothing if it cannot.
  template <class Attempt>
  runtime::Task<std::invoke_result_t<Attempt>> ahead(Attempt attempt);
  // The same; if it cannot, all that came before is on the server then.
  template <class Attempt>
  Outcome<std::invoke_result_t<Attempt>> ahead_or_settled(OperationContext& op, Attempt attempt);

  // The bodies that run on a session's loop.
  Outcome<EntryReply> lookup_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                std::string name);
  Outcome<AttrReply> getattr_by_number(OperationContext& op, std::uint64_t inode);
  Outcome<AttrReply> getattr_root(OperationContext& op, InodeRef root);
  Outcome<AttrReply> getattr_asked(OperationContext& op, InodeRef inode);
  Outcome<AttrReply> getattr_on(SessionSlot& slot, OperationContext& op, InodeRef inode);
  Outcome<AttrReply> getattr_unnamed(OperationContext& op, InodeRef inode, Error no_name);
  Outcome<AttrReply> getattr_by_handle(OperationContext& op, OpenFileRef file);
  Outcome<AttrReply> setattr_open(std::shared_ptr<FileIo> io, OperationContext& op, SetAttr change,
                                  OpenFileRef file);
  bool may_defer(const FileIo& io, const SetAttr& change) const;
  bool may_defer_on(const AttrView& view, const SetAttr& change) const;
  Completion apply_deferred(std::shared_ptr<FileIo> io, SetAttr change, OpenFileRef file);
  Outcome<AttrReply> setattr_shielded(SessionSlot& slot, OperationContext& op, InodeRef inode,
                                      SetAttr change, OpenFileRef file);
  Outcome<AttrReply> setattr_on(SessionSlot& slot, OperationContext& op, InodeRef inode,
                                SetAttr change, OpenFileRef file);
  Completion change_attrs(SessionSlot& slot, OperationContext& op, InodeRef inode, SetAttr change,
                          OpenFileRef file);
  struct Changed;
  runtime::Task<Changed> change_once(ClientRef client, InodeRef inode, std::string path,
                                     OpenFileRef file, sftp::Attrs wire);
  Outcome<ClientRef> client_for(SessionSlot& slot, std::shared_ptr<FileIo> io, OpenFileRef file,
                                runtime::Cancel* cancel);
  Outcome<sftp::Attrs> current_attrs(SessionSlot& slot, OperationContext& op, InodeRef inode,
                                     OpenFileRef file, bool with_mtime);
  sftp::Attrs owed_mode(const sftp::Attrs& made, std::uint32_t mode) const;
  sftp::Attrs owed_owner(const sftp::Attrs& made, const Inode& parent, std::uint32_t uid,
                         std::uint32_t gid) const;
  Outcome<bool> pay(SessionSlot& slot, std::string path, sftp::Attrs owed);
  Outcome<EntryReply> created(SessionSlot& slot, Made made);
  void forget_entry(const Result<EntryReply>& entry);
  Outcome<EntryReply> make(SessionSlot& slot, OperationContext& op, Making making);
  Outcome<EntryReply> make_on(SessionSlot& slot, OperationContext& op, Making making);
  Outcome<bool> made_before(SessionSlot& slot, OperationContext& op, std::string path,
                            sftp::Attrs attrs, std::optional<std::string> target);
  Outcome<EntryReply> mknod_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                               std::string name, std::uint32_t mode);
  Outcome<EntryReply> link_on(SessionSlot& slot, OperationContext& op, InodeRef inode,
                              InodeRef parent, std::string name);
  Completion remove(OperationContext& op, InodeRef parent, std::string name, bool directory);
  Completion remove_on(SessionSlot& slot, OperationContext& op, InodeRef parent, std::string name,
                       bool directory);
  Completion rename_on(SessionSlot& slot, OperationContext& op, InodeRef parent, std::string name,
                       InodeRef new_parent, std::string new_name, bool replace);
  Outcome<bool> linked_before(SessionSlot& slot, OperationContext& op, std::string existing,
                              std::string path);
  Outcome<bool> moved_before(SessionSlot& slot, std::string from, std::string to);
  Completion move_name(SessionSlot& slot, std::string from, std::string to);
  Completion replace_name(SessionSlot& slot, InodeRef new_parent, std::string from, std::string to,
                          Error refusal);
  Completion replace_directory(SessionSlot& slot, std::string from, std::string to,
                               std::uint32_t mode);
  Completion replace_file(SessionSlot& slot, std::string from, std::string to, std::string aside);
  // Before an open file loses its name: without a connection it could not be opened again.
  Completion keep_open(OperationContext& op, InodeRef inode);
  SessionSlot& slot_in_order();
  Outcome<ClientRef> ready_in_order(SessionSlot& slot, runtime::Cancel* cancel);
  Outcome<std::string> readlink_on(SessionSlot& slot, OperationContext& op, InodeRef inode);
  Outcome<StatFsReply> statfs_on(SessionSlot& slot, std::shared_ptr<runtime::Cancel> cancel);
  Completion learn_user(SessionSlot& slot, OperationContext& op);
  Completion start_on(SessionSlot& slot, OperationContext& op);

  // The open state of `inode`, at home in `slot` (null: the least loaded) if it is new.
  std::shared_ptr<FileIo> acquire_io(const InodeRef& inode, SessionSlot* slot);
  OpenReply open_reply(const OpenFileRef& file);
  OpenReply handle_reply(const OpenFileRef& file);
  bool may_open_unasked(const InodeRef& inode, int flags) const;
  Outcome<OpenReply> open_unasked(std::shared_ptr<FileIo> io, int flags);
  Outcome<OpenReply> open_truncated(std::shared_ptr<FileIo> io, OperationContext& op, int flags);
  Outcome<OpenReply> open_on(std::shared_ptr<FileIo> io, OperationContext& op, int flags);
  Outcome<OpenFileRef> open_file_on(std::shared_ptr<FileIo> io, OperationContext& op, int flags);
  bool is_far_away(FileIo& io) const;
  // ops_fetch.cc
  void begin_fetch(const FilePrefetch::Held& held);
  runtime::Task<void> fetch_file(FilePrefetch::Held held, std::shared_ptr<FileIo> io);
  Outcome<CreateReply> open_existing(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                     std::string name, int flags, Error why);
  Outcome<NewFile> make_file(SessionSlot& slot, OperationContext& op, std::string path,
                             std::uint32_t flags, std::uint32_t mode);
  Outcome<sftp::Handle> open_made(ClientRef client, std::string path, std::uint32_t flags,
                                  std::uint32_t mode);
  runtime::Task<void> settle(OpenFileRef file, sftp::Attrs attrs, sftp::Attrs owed);
  void abandon_created(const Result<CreateReply>& reply);
  Outcome<CreateReply> create_on(SessionSlot& slot, OperationContext& op, InodeRef parent,
                                 std::string name, std::uint32_t mode, int flags);
  Outcome<std::size_t> copy_on(OpenFileRef from, std::uint64_t from_offset, OpenFileRef to,
                               std::uint64_t to_offset, std::size_t size_bytes,
                               OperationContext& op);
  Completion close_on(OpenFileRef file);
  bool add_entry(const Inode& parent, const sftp::DirEntry& entry, const AttrToken& token,
                 std::uint64_t next_offset, bool with_attributes, DirectorySink& sink);
  Completion close_directory(std::shared_ptr<DirectoryStream> stream);

  Shared& shared_;
  // The server has refused a change of attributes that it owes to the owner of a file: some keep no
  // modes or times. From then on all are waited for, so that who asks is told.
  std::atomic<bool> attrs_refused_{false};
  Creator creator_;
  DirectoryPrefetch prefetch_;
  HotDirectories hot_;
  FilePrefetch files_ahead_;
};

namespace detail {

template <class Attempt>
runtime::Task<std::invoke_result_t<Attempt>> call(Attempt attempt) {
  co_return attempt();
}

}  // namespace detail

template <class Attempt>
runtime::Task<std::invoke_result_t<Attempt>> Filesystem::ahead(Attempt attempt) {
  using Reply = std::invoke_result_t<Attempt>;
  if (shared_.options.durability != Durability::kFsync) co_return Reply();
  co_return co_await runtime::run_on(shared_.journal.loop(), detail::call(std::move(attempt)));
}

template <class Attempt>
Outcome<std::invoke_result_t<Attempt>> Filesystem::ahead_or_settled(OperationContext& op,
                                                                    Attempt attempt) {
  using Reply = std::invoke_result_t<Attempt>;
  Reply reply = co_await ahead(std::move(attempt));
  if (!reply) {
    const Status settled = co_await shared_.journal.settled(op.cancel.get());
    if (!settled) co_return fail(settled.error());
  }
  co_return Result<Reply>(std::move(reply));
}

}  // namespace sftpfs::fs
