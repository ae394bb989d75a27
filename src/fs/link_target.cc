// See link_target.h.
#include "fs/link_target.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

namespace sftpfs::fs {
namespace {

using Names = std::vector<std::string_view>;

// Without empty ones and ".".
Names names_of(std::string_view path) {
  Names names;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (!name.empty() && name != ".") names.push_back(name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

bool starts_with(const Names& names, const Names& start) {
  return names.size() >= start.size() && std::equal(start.begin(), start.end(), names.begin());
}

bool has_parent_steps(const Names& names) {
  return std::find(names.begin(), names.end(), "..") != names.end();
}

// From directory `from` to `to`, both below the same root.
std::string relative(const Names& from, const Names& to) {
  const auto [here, there] = std::mismatch(from.begin(), from.end(), to.begin(), to.end());
  std::string path;
  const auto add = [&path](std::string_view name) {
    if (!path.empty()) path += '/';
    path += name;
  };
  for (auto step = here; step != from.end(); ++step) add("..");
  for (auto name = there; name != to.end(); ++name) add(*name);
  return path.empty() ? "." : path;
}

bool stays_inside(const Names& target, std::size_t depth) {
  const auto first_name = std::find_if(target.begin(), target.end(),
                                       [](std::string_view name) { return name != ".."; });
  const auto steps = static_cast<std::size_t>(first_name - target.begin());
  return steps <= depth && std::find(first_name, target.end(), "..") == target.end();
}

}  // namespace

Result<std::string> shown_target(const LinkRules& rules, std::string_view root,
                                 std::string_view link, std::string target) {
  if (!rules.transform && !rules.contain) return target;
  const Names top = names_of(root);
  Names directory = names_of(link);
  if (!directory.empty()) directory.pop_back();
  if (!starts_with(directory, top)) return fail(Error::system(EPERM));
  directory.erase(directory.begin(), directory.begin() + static_cast<std::ptrdiff_t>(top.size()));
  Names names = names_of(target);
  if (!target.starts_with('/')) {
    if (rules.contain && !stays_inside(names, directory.size())) return fail(Error::system(EPERM));
    return target;
  }
  if (starts_with(names, top) && !has_parent_steps(names)) {
    names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(top.size()));
    return relative(directory, names);
  }
  if (rules.contain) return fail(Error::system(EPERM));
  return target;
}

}  // namespace sftpfs::fs
