// ModelServer: an SFTP server in memory that answers as OpenSSH's sftp-server does.
//
// A ModelServer is the machine: its tree survives everything. A ServerSession is one sftp-server
// process: it is fed the bytes of its connection and executes each request as soon as it is
// complete, in order. Its handles die with it, and their numbers are used again, as OpenSSH does:
// a handle of a lost connection means another file, or none, in the next.
//
// Ownership: the Network owns sessions; the server outlives them.
// Threads:   one thread.
// Limits:    what sftpfs does not send is answered with OP_UNSUPPORTED.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "sftp/wire.h"
#include "sim/effects.h"
#include "sim/model_tree.h"
#include "sim/trace.h"

namespace sftpfs::sim {

struct ServerConfig {
  std::uint32_t umask = 022;
  std::size_t transfer_bytes_max = 32768;  // of a READ or WRITE
  std::size_t names_per_readdir = 100;
  bool posix_rename = true;
  bool fsync = true;
  bool keeps_attrs = true;  // or refuses to change any
};

class ModelServer {
 public:
  ModelServer(const Clock& clock, const ServerConfig& config)
      : clock_(clock), config_(config), tree_(config.umask) {}
  ModelServer(const ModelServer&) = delete;
  ModelServer& operator=(const ModelServer&) = delete;

  ModelTree& tree() { return tree_; }
  EffectLog& effects() { return effects_; }
  const ServerConfig& config() const { return config_; }
  // What sessions say from now on; those that run keep to it as well.
  void limit_transfers(std::size_t bytes_max) { config_.transfer_bytes_max = bytes_max; }
  std::uint32_t now() const { return static_cast<std::uint32_t>(clock_.wall_now().seconds); }

 private:
  const Clock& clock_;
  ServerConfig config_;
  ModelTree tree_;
  EffectLog effects_;
};

class ServerSession {
 public:
  ServerSession(ModelServer& server, unsigned number, Trace& trace)
      : server_(server), tree_(server.tree()), number_(number), trace_(trace) {}
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  // Executes what is complete and appends the answers to `answers`.
  void receive(std::string_view bytes, std::string& answers);
  std::size_t open_handles() const;
  std::uint64_t requests() const { return requests_; }

 private:
  struct Handle {
    bool used = false;
    bool directory = false;
    bool readable = false;
    bool writable = false;
    bool append = false;
    ModelRef node;
    std::vector<std::string> names;  // of a directory, as of its opening
    std::size_t next_name = 0;
  };

  void packet(std::string_view packet);
  void request(sftp::PacketType type, sftp::Reader& body);
  void extended(sftp::Reader& body);

  void open(sftp::Reader& body);
  void opendir(sftp::Reader& body);
  void readdir(sftp::Reader& body);
  void close(sftp::Reader& body);
  void read(sftp::Reader& body);
  void write(sftp::Reader& body);
  void stat(std::string_view path, bool follow);
  void fstat(sftp::Reader& body);
  void setstat(sftp::Reader& body);
  void fsetstat(sftp::Reader& body);
  void lsetstat(sftp::Reader& body);
  void readlink(sftp::Reader& body);
  void realpath(sftp::Reader& body);
  void rename(std::string_view from, std::string_view to, bool replace);
  void copy_data(sftp::Reader& body);
  void statvfs();
  void version();

  int change(ModelNode& node, const sftp::Attrs& attrs);
  // Counts the effect if `error` is 0, and answers.
  void done(int error, Effect effect, std::string_view path, std::string_view other = {});
  std::uint32_t add_handle(Handle handle);
  Handle* handle(std::string_view text);

  void reply(sftp::Writer writer);
  void status(std::uint32_t code);
  void result(int error);  // an errno becomes a status, as errno_to_portable() does
  void send_attrs(const ModelNode& node);
  void send_handle(std::uint32_t number);

  ModelServer& server_;
  ModelTree& tree_;
  const unsigned number_;
  Trace& trace_;
  std::string input_;
  std::string* answers_ = nullptr;
  std::uint32_t id_ = 0;
  std::uint64_t requests_ = 0;
  std::vector<Handle> handles_;
};

}  // namespace sftpfs::sim
