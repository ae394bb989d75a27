// See reference.h.
#include "sim/reference.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>

namespace sftpfs::sim {

RefEntry* RefNode::entry(std::string_view wanted) {
  for (RefEntry& entry : entries) {
    if (entry.name == wanted) return &entry;
  }
  return nullptr;
}

RefPtr RefNode::child(std::string_view wanted) {
  const RefEntry* found = entry(wanted);
  return found == nullptr ? nullptr : found->node;
}

std::uint32_t RefNode::mode_with_type() const {
  switch (type) {
    case RefType::kFile: return S_IFREG | mode;
    case RefType::kDirectory: return S_IFDIR | mode;
    case RefType::kLink: return S_IFLNK | 0777;
  }
  return 0;
}

Reference::Reference(std::string root_path)
    : root_path_(std::move(root_path)), root_(std::make_shared<RefNode>()) {
  root_->type = RefType::kDirectory;
  root_->mode = 0755;
  root_->ino = 1;
}

std::string Reference::path(const RefNode& directory) const {
  if (directory.parent == nullptr) return root_path_;
  return path(*directory.parent) + "/" + directory.name;
}

std::string Reference::path(const RefNode& directory, std::string_view name) const {
  std::string whole = path(directory);
  whole.append("/").append(name);
  return whole;
}

RefPtr Reference::add(RefNode& parent, const std::string& name, RefType type, std::uint32_t mode) {
  auto node = std::make_shared<RefNode>();
  node->type = type;
  node->mode = mode;
  if (type == RefType::kDirectory) {
    node->parent = &parent;
    node->name = name;
  }
  constexpr Effect kMaking[] = {Effect::kCreate, Effect::kMkdir, Effect::kSymlink};
  effects_.add(kMaking[static_cast<std::size_t>(type)], path(parent, name));
  node->names = 1;
  parent.entries.push_back(RefEntry{name, node, {}});
  return node;
}

void Reference::add_link(RefNode& parent, const std::string& name, const RefPtr& node) {
  effects_.add(Effect::kLink, path(parent, name));
  ++node->names;
  parent.entries.push_back(RefEntry{name, node, {}});
}

void Reference::remove(RefNode& parent, const std::string& name) {
  const RefPtr node = parent.child(name);
  effects_.add(node->type == RefType::kDirectory ? Effect::kRmdir : Effect::kUnlink,
               path(parent, name));
  --node->names;
  std::erase_if(parent.entries, [&name](const RefEntry& entry) { return entry.name == name; });
}

void Reference::rename(RefNode& from, const std::string& name, RefNode& to,
                       const std::string& new_name) {
  effects_.add(Effect::kRename, path(from, name), path(to, new_name));
  const RefPtr replaced = to.child(new_name);
  if (replaced) {
    --replaced->names;
    std::erase_if(to.entries,
                  [&new_name](const RefEntry& entry) { return entry.name == new_name; });
  }
  RefEntry moved = *from.entry(name);
  std::erase_if(from.entries, [&name](const RefEntry& entry) { return entry.name == name; });
  moved.name = new_name;
  if (moved.node->type == RefType::kDirectory) {
    moved.node->parent = &to;
    moved.node->name = new_name;
  }
  to.entries.push_back(std::move(moved));
}

std::string Reference::difference(const ModelTree& server) const {
  ModelRef truth;
  if (server.find(root_path_, false, truth) != 0) return root_path_ + " has gone";
  return difference(*root_, *truth, root_path_);
}

std::string Reference::difference(const RefNode& node, const ModelNode& truth,
                                  const std::string& path) const {
  if (node.mode_with_type() != truth.mode) {
    return fmt::format("{} has mode {:o} on the server, {:o} is right", path, truth.mode,
                       node.mode_with_type());
  }
  if (node.type != RefType::kDirectory && node.content != truth.content) {
    const auto [ours, theirs] = std::mismatch(node.content.begin(), node.content.end(),
                                              truth.content.begin(), truth.content.end());
    return fmt::format("{} has {} bytes on the server, {} are right; they differ from byte {} on",
                       path, truth.content.size(), node.content.size(),
                       ours - node.content.begin());
  }
  if (node.mtime_set && node.mtime != truth.mtime) {
    return fmt::format("{} has mtime {} on the server, {} was set", path, truth.mtime, node.mtime);
  }
  for (const RefEntry& entry : node.entries) {
    const ModelRef there = truth.child(entry.name);
    if (!there) return fmt::format("{}/{} is missing on the server", path, entry.name);
    std::string found = difference(*entry.node, *there, path + "/" + entry.name);
    if (!found.empty()) return found;
  }
  for (const auto& there : truth.children) {
    const bool known =
        std::any_of(node.entries.begin(), node.entries.end(),
                    [&](const RefEntry& entry) { return entry.name == there.first; });
    if (!known) return fmt::format("{}/{} should not be on the server", path, there.first);
  }
  return {};
}

}  // namespace sftpfs::sim
