// See request_table.h.
#include "sftp/request_table.h"

#include <utility>

#include "base/check.h"

namespace sftpfs::sftp {

std::uint32_t RequestTable::add(Request request) {
  SFTPFS_CHECK(has_room(1));
  while (requests_.contains(next_id_)) ++next_id_;
  const std::uint32_t id = next_id_++;
  requests_.emplace(id, std::move(request));
  return id;
}

Request* RequestTable::find(std::uint32_t id) {
  const auto found = requests_.find(id);
  return found == requests_.end() ? nullptr : &found->second;
}

Request RequestTable::take(std::uint32_t id) {
  auto node = requests_.extract(id);
  SFTPFS_CHECK(!node.empty());
  return std::move(node.mapped());
}

std::vector<Request> RequestTable::take_all() {
  std::vector<Request> all;
  all.reserve(requests_.size());
  for (auto& [id, request] : requests_) all.push_back(std::move(request));
  requests_.clear();
  return all;
}

}  // namespace sftpfs::sftp
