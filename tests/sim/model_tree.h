// ModelTree: a POSIX file system in memory, as seen by the one user whom the server runs as.
//
// Paths are absolute on the server. Every operation yields an errno, 0 for success. It is the truth
// that the simulated server tells; the reference of the applications is another one.
//
// Ownership: names and open handles share the nodes.
// Threads:   one thread.
// Limits:    no owners; of permissions only the owner's bits count; times are whole seconds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sftpfs::sim {

struct ModelNode;
using ModelRef = std::shared_ptr<ModelNode>;

struct ModelNode {
  std::uint32_t mode = 0;  // with S_IFMT bits
  std::uint32_t atime = 0;
  std::uint32_t mtime = 0;
  std::string content;  // of a file; the target of a link
  std::vector<std::pair<std::string, ModelRef>> children;

  bool is_directory() const;
  bool is_file() const;
  bool is_link() const;
  ModelRef child(std::string_view name) const;
};

class ModelTree {
 public:
  // `umask` is the server's.
  explicit ModelTree(std::uint32_t umask);

  int find(std::string_view path, bool follow, ModelRef& found) const;
  int mkdir(std::string_view path, std::uint32_t mode, std::uint32_t now);
  int rmdir(std::string_view path, std::uint32_t now);
  int unlink(std::string_view path, std::uint32_t now);
  int symlink(std::string_view target, std::string_view path, std::uint32_t now);
  int link(std::string_view existing, std::string_view path, std::uint32_t now);
  // rename(2); with `replace` false it fails where the new name exists.
  int rename(std::string_view from, std::string_view to, bool replace, std::uint32_t now);

  struct OpenHow {
    bool read = false;
    bool write = false;
    bool create = false;
    bool exclusive = false;
    bool truncate = false;
    std::uint32_t mode = 0;
  };
  int open(std::string_view path, const OpenHow& how, std::uint32_t now, ModelRef& opened,
           bool& created);
  static void write(ModelNode& node, std::uint64_t offset, std::string_view data,
                    std::uint32_t now);
  static void truncate(ModelNode& node, std::uint64_t size, std::uint32_t now);

 private:
  struct Place {
    ModelRef parent;
    std::string_view name;
    ModelRef there;  // null: nothing has the name
  };
  int walk(std::string_view path, bool follow, int depth, Place& place) const;
  int writable_place(std::string_view path, Place& place) const;
  ModelRef add(const Place& place, std::uint32_t mode, std::uint32_t now);

  const std::uint32_t umask_;
  ModelRef root_;
};

}  // namespace sftpfs::sim
