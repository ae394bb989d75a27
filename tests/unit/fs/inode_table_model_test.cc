// InodeTable under random operations, against a model that is too simple to be wrong: a list of
// nodes, each with the names it has.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fs/inode_table.h"

namespace sftpfs::fs {
namespace {

using Name = std::pair<std::uint64_t, std::string>;  // parent, name

struct Node {
  bool directory = false;
  std::uint64_t lookups = 0;
};

class Model {
 public:
  Model() { nodes[kRootInode] = Node{true, 1}; }

  std::uint64_t child(std::uint64_t parent, const std::string& name) const {
    const auto found = names.find({parent, name});
    return found == names.end() ? 0 : found->second;
  }
  bool has_children(std::uint64_t id) const {
    const auto first = names.lower_bound({id, std::string()});
    return first != names.end() && first->first.first == id;
  }
  // What nobody counts and has nothing below goes, and then perhaps what it was in.
  void reap() {
    for (bool again = true; again;) {
      again = false;
      for (auto node = nodes.begin(); node != nodes.end();) {
        const std::uint64_t id = node->first;
        if (node->second.lookups > 0 || has_children(id)) {
          ++node;
          continue;
        }
        std::erase_if(names, [id](const auto& entry) { return entry.second == id; });
        node = nodes.erase(node);
        again = true;
      }
    }
  }
  // Every path that leads to it.
  std::set<std::string> paths(std::uint64_t id) const {
    if (id == kRootInode) return {""};
    std::set<std::string> all;
    for (const auto& [name, target] : names) {
      if (target != id) continue;
      for (const std::string& above : paths(name.first)) all.insert(above + "/" + name.second);
    }
    return all;
  }
  bool is_below(std::uint64_t id, std::uint64_t directory) const {
    if (id == directory) return true;
    return std::any_of(names.begin(), names.end(), [&](const auto& entry) {
      return entry.second == id && is_below(entry.first.first, directory);
    });
  }

  std::map<std::uint64_t, Node> nodes;
  std::map<Name, std::uint64_t> names;
};

class Walk {
 public:
  explicit Walk(std::uint64_t seed) : random_(seed) { table_.set_root_path("/"); }

  void step() {
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2: return enter();
      case 3: return forget();
      case 4: return remove();
      case 5:
      case 6: return rename();
      default: return link();
    }
  }
  void compare() {
    ASSERT_EQ(table_.size(), model_.nodes.size());
    for (const auto& [id, node] : model_.nodes) {
      const InodeRef inode = table_.find(id);
      ASSERT_NE(inode, nullptr) << id;
      const std::set<std::string> paths = model_.paths(id);
      const Result<std::string> path = table_.path(*inode);
      if (path) {
        EXPECT_TRUE(paths.contains(id == kRootInode ? "" : *path)) << *path;
      } else {
        // Of several names the first one known counts.
        EXPECT_TRUE(paths.empty() || names_of(id) > 1) << *paths.begin();
      }
    }
    for (const auto& [name, id] : model_.names) {
      const InodeRef child = table_.find_child(*table_.find(name.first), name.second);
      ASSERT_NE(child, nullptr) << name.second;
      EXPECT_EQ(child->id(), id);
    }
  }
  void forget_everything() {
    const std::map<std::uint64_t, Node> nodes = model_.nodes;
    for (const auto& [id, node] : nodes) table_.forget(id, node.lookups);
    EXPECT_EQ(table_.size(), 1U);
  }

 private:
  long names_of(std::uint64_t id) const {
    return std::count_if(model_.names.begin(), model_.names.end(),
                         [id](const auto& entry) { return entry.second == id; });
  }
  std::string any_name() { return std::string(1, static_cast<char>('a' + random_() % 6)); }
  std::uint64_t any_node() {
    return std::next(model_.nodes.begin(), static_cast<long>(random_() % model_.nodes.size()))
        ->first;
  }
  // One the kernel knows: it names no other.
  std::uint64_t any_directory() {
    while (true) {
      const std::uint64_t id = any_node();
      if (model_.nodes[id].directory && model_.nodes[id].lookups > 0) return id;
    }
  }

  void enter() {
    const std::uint64_t parent = any_directory();
    const std::string name = any_name();
    const bool directory = random_() % 3 == 0;
    const InodeRef inode = table_.enter(table_.find(parent), name, directory ? S_IFDIR : S_IFREG);
    const std::uint64_t known = model_.child(parent, name);
    if (known != 0 && model_.nodes[known].directory == directory) {
      EXPECT_EQ(inode->id(), known);
    } else {
      EXPECT_FALSE(model_.nodes.contains(inode->id()));
      model_.nodes[inode->id()].directory = directory;
      model_.names[{parent, name}] = inode->id();
    }
    ++model_.nodes[inode->id()].lookups;
    model_.reap();
  }
  void forget() {
    const std::uint64_t id = any_node();
    Node& node = model_.nodes[id];
    if (id == kRootInode || node.lookups == 0) return;
    const std::uint64_t count = 1 + random_() % node.lookups;
    table_.forget(id, count);
    node.lookups -= count;
    model_.reap();
  }
  void remove() {
    const std::uint64_t parent = any_directory();
    const std::string name = any_name();
    table_.remove(*table_.find(parent), name);
    model_.names.erase({parent, name});
    model_.reap();
  }
  void rename() {
    const std::uint64_t from = any_directory();
    const std::uint64_t to = any_directory();
    const std::string name = any_name();
    const std::string new_name = any_name();
    const std::uint64_t moved = model_.child(from, name);
    // No server moves a directory into itself.
    if (moved != 0 && model_.is_below(to, moved)) return;
    table_.rename(*table_.find(from), name, table_.find(to), new_name);
    if (moved == model_.child(to, new_name) && moved != 0) return;
    model_.names.erase({to, new_name});
    if (moved != 0) {
      model_.names.erase({from, name});
      model_.names[{to, new_name}] = moved;
    }
    model_.reap();
  }
  void link() {
    const std::uint64_t id = any_node();
    if (model_.nodes[id].directory || model_.nodes[id].lookups == 0) return;
    const std::uint64_t parent = any_directory();
    const std::string name = any_name();
    table_.enter_link(table_.find(id), table_.find(parent), name);
    ++model_.nodes[id].lookups;
    model_.names[{parent, name}] = id;
    model_.reap();
  }

  InodeTable table_;
  Model model_;
  std::mt19937_64 random_;
};

TEST(InodeTableModel, AgreesAfterEachOfManyRandomOperations) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Walk walk(seed);
    for (int i = 0; i < 300 && !::testing::Test::HasFailure(); ++i) {
      walk.step();
      walk.compare();
    }
    walk.forget_everything();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sftpfs::fs
