// See id_map.h.
#include "fs/id_map.h"

#include <cerrno>

namespace sftpfs::fs {
namespace {

constexpr std::uint32_t kNobody = 65534;

}  // namespace

void IdMap::Side::add(std::uint32_t server, std::uint32_t ours) {
  // The first of several names of one number counts, as in a password file.
  ours_of.emplace(server, ours);
  server_of.emplace(ours, server);
}

std::uint32_t IdMap::Side::shown(std::uint32_t server) const {
  const auto found = ours_of.find(server);
  if (found != ours_of.end()) return found->second;
  return strict ? kNobody : server;
}

Result<std::uint32_t> IdMap::Side::sent(std::uint32_t ours) const {
  const auto found = server_of.find(ours);
  if (found != server_of.end()) return found->second;
  if (strict) return fail(Error::system(EPERM));
  return ours;
}

IdMap::IdMap(const IdRules& rules)
    : by_user_(rules.by_user), own_uid_(rules.own_uid), own_gid_(rules.own_gid) {
  const auto fill = [&rules](const std::optional<IdPairs>& pairs, Side& side) {
    if (!pairs) return;
    side.strict = !rules.pass_unmapped;
    for (const auto& [server, ours] : *pairs) side.add(server, ours);
  };
  fill(rules.users, users_);
  fill(rules.groups, groups_);
}

void IdMap::learn(std::uint32_t server_uid, std::uint32_t server_gid) {
  users_.add(server_uid, own_uid_);
  groups_.add(server_gid, own_gid_);
}

}  // namespace sftpfs::fs
