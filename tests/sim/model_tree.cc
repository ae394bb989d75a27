// See model_tree.h.
#include "sim/model_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace sftpfs::sim {
namespace {

constexpr int kLinksMax = 8;
constexpr std::uint32_t kPermissionBits = 07777;

bool may(const ModelNode& node, std::uint32_t owner_bits) {
  return (node.mode & owner_bits) == owner_bits;
}

void remove_child(ModelNode& parent, std::string_view name, std::uint32_t now) {
  std::erase_if(parent.children, [name](const auto& entry) { return entry.first == name; });
  parent.mtime = now;
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

bool ModelNode::is_directory() const { return S_ISDIR(mode); }
bool ModelNode::is_file() const { return S_ISREG(mode); }
bool ModelNode::is_link() const { return S_ISLNK(mode); }

ModelRef ModelNode::child(std::string_view name) const {
  for (const auto& [known, node] : children) {
    if (known == name) return node;
  }
  return nullptr;
}

ModelTree::ModelTree(std::uint32_t umask) : umask_(umask), root_(std::make_shared<ModelNode>()) {
  root_->mode = S_IFDIR | 0755;
}

int ModelTree::walk(std::string_view path, bool follow, int depth, Place& place) const {
  if (depth > kLinksMax) return ELOOP;
  if (path.empty() || path.front() != '/') return ENOENT;
  place = Place{root_, {}, root_};
  std::size_t at = 0;
  while (true) {
    at = path.find_first_not_of('/', at);
    if (at == std::string_view::npos) return 0;
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (!place.there) return ENOENT;
    if (!place.there->is_directory()) return ENOTDIR;
    if (!may(*place.there, S_IXUSR)) return EACCES;
    const std::string_view name = path.substr(at, end - at);
    const ModelRef directory = place.there;
    place = Place{directory, name, directory->child(name)};
    const bool last = path.find_first_not_of('/', end) == std::string_view::npos;
    if (place.there && place.there->is_link() && (follow || !last)) {
      const std::string& target = place.there->content;
      const std::string whole =
          target.starts_with('/') ? target : std::string(path.substr(0, at)) + target;
      ModelRef found;
      if (const int error = find(whole, true, found); error != 0) return error;
      place.there = found;
    }
    at = end;
  }
}

int ModelTree::find(std::string_view path, bool follow, ModelRef& found) const {
  Place place;
  if (const int error = walk(path, follow, 0, place); error != 0) return error;
  if (!place.there) return ENOENT;
  found = std::move(place.there);
  return 0;
}

int ModelTree::writable_place(std::string_view path, Place& place) const {
  if (const int error = walk(path, false, 0, place); error != 0) return error;
  if (place.name.empty()) return EBUSY;  // the root
  return may(*place.parent, S_IWUSR | S_IXUSR) ? 0 : EACCES;
}

ModelRef ModelTree::add(const Place& place, std::uint32_t mode, std::uint32_t now) {
  auto node = std::make_shared<ModelNode>();
  node->mode = mode;
  node->atime = node->mtime = now;
  place.parent->children.emplace_back(place.name, node);
  place.parent->mtime = now;
  return node;
}

int ModelTree::mkdir(std::string_view path, std::uint32_t mode, std::uint32_t now) {
  Place place;
  if (const int error = walk(path, false, 0, place); error != 0) return error;
  if (place.there) return EEXIST;
  if (!may(*place.parent, S_IWUSR | S_IXUSR)) return EACCES;
  add(place, S_IFDIR | (mode & kPermissionBits & ~umask_), now);
  return 0;
}

int ModelTree::rmdir(std::string_view path, std::uint32_t now) {
  Place place;
  if (const int error = writable_place(path, place); error != 0) return error;
  if (!place.there) return ENOENT;
  if (!place.there->is_directory()) return ENOTDIR;
  if (!place.there->children.empty()) return ENOTEMPTY;
  remove_child(*place.parent, place.name, now);
  return 0;
}

int ModelTree::unlink(std::string_view path, std::uint32_t now) {
  Place place;
  if (const int error = writable_place(path, place); error != 0) return error;
  if (!place.there) return ENOENT;
  if (place.there->is_directory()) return EISDIR;
  remove_child(*place.parent, place.name, now);
  return 0;
}

int ModelTree::symlink(std::string_view target, std::string_view path, std::uint32_t now) {
  Place place;
  if (const int error = walk(path, false, 0, place); error != 0) return error;
  if (place.there) return EEXIST;
  if (!may(*place.parent, S_IWUSR | S_IXUSR)) return EACCES;
  add(place, S_IFLNK | 0777, now)->content = target;
  return 0;
}

int ModelTree::link(std::string_view existing, std::string_view path, std::uint32_t now) {
  ModelRef node;
  if (const int error = find(existing, false, node); error != 0) return error;
  Place place;
  if (const int error = walk(path, false, 0, place); error != 0) return error;
  if (place.there) return EEXIST;
  if (node->is_directory()) return EPERM;
  if (!may(*place.parent, S_IWUSR | S_IXUSR)) return EACCES;
  place.parent->children.emplace_back(place.name, std::move(node));
  place.parent->mtime = now;
  return 0;
}

int ModelTree::rename(std::string_view from, std::string_view to, bool replace, std::uint32_t now) {
  Place source;
  if (const int error = writable_place(from, source); error != 0) return error;
  if (!source.there) return ENOENT;
  Place target;
  if (const int error = writable_place(to, target); error != 0) return error;
  if (target.there && !replace) return EEXIST;
  if (is_below(to, from)) return EINVAL;
  if (is_below(from, to)) return ENOTEMPTY;
  if (target.there == source.there) return 0;
  if (target.there) {
    if (source.there->is_directory() && !target.there->is_directory()) return ENOTDIR;
    if (!source.there->is_directory() && target.there->is_directory()) return EISDIR;
    if (!target.there->children.empty()) return ENOTEMPTY;
    remove_child(*target.parent, target.name, now);
  }
  remove_child(*source.parent, source.name, now);
  target.parent->children.emplace_back(target.name, source.there);
  target.parent->mtime = now;
  return 0;
}

int ModelTree::open(std::string_view path, const OpenHow& how, std::uint32_t now, ModelRef& opened,
                    bool& created) {
  created = false;
  Place place;
  const bool follow = !(how.create && how.exclusive);
  if (const int error = walk(path, follow, 0, place); error != 0) return error;
  if (!place.there) {
    if (!how.create) return ENOENT;
    if (!may(*place.parent, S_IWUSR | S_IXUSR)) return EACCES;
    opened = add(place, S_IFREG | (how.mode & kPermissionBits & ~umask_), now);
    created = true;
    return 0;
  }
  if (how.create && how.exclusive) return EEXIST;
  if (place.there->is_directory()) return how.write || how.truncate ? EISDIR : 0;
  if (how.read && !may(*place.there, S_IRUSR)) return EACCES;
  if ((how.write || how.truncate) && !may(*place.there, S_IWUSR)) return EACCES;
  opened = place.there;
  if (how.truncate) truncate(*opened, 0, now);
  return 0;
}

void ModelTree::write(ModelNode& node, std::uint64_t offset, std::string_view data,
                      std::uint32_t now) {
  if (data.empty()) return;
  const std::size_t end = static_cast<std::size_t>(offset) + data.size();
  if (node.content.size() < end) node.content.resize(end, '\0');
  node.content.replace(static_cast<std::size_t>(offset), data.size(), data);
  node.mtime = now;
}

void ModelTree::truncate(ModelNode& node, std::uint64_t size, std::uint32_t now) {
  node.content.resize(static_cast<std::size_t>(size), '\0');
  node.mtime = now;
}

}  // namespace sftpfs::sim
