// IdMap: which local user and group a server's numbers are shown as, and back (idmap=).
//
//   by user:  the server's owner of the login directory <-> who has mounted; others as they are
//   by file:  pairs from uidfile= and gidfile=; others are nobody's (65534), or as they are
//
// A number without a pair never hides a name: it is shown as somebody else's.
// Ownership: a part of Shared.
// Threads:   learn() before anybody asks; then any.
// Limits:    none.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"

namespace sftpfs::fs {

// {the server's, ours}
using IdPairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

struct IdRules {
  bool by_user = false;
  std::uint32_t own_uid = 0;  // of who has mounted
  std::uint32_t own_gid = 0;
  std::optional<IdPairs> users;  // by file
  std::optional<IdPairs> groups;
  bool pass_unmapped = false;  // nomap=ignore
};

class IdMap {
 public:
  explicit IdMap(const IdRules& rules);

  bool wants_user() const { return by_user_; }
  // Who the server says we are there.
  void learn(std::uint32_t server_uid, std::uint32_t server_gid);

  std::uint32_t shown_user(std::uint32_t server_uid) const { return users_.shown(server_uid); }
  std::uint32_t shown_group(std::uint32_t server_gid) const { return groups_.shown(server_gid); }
  // For chown(2); EPERM where the server has nobody for it.
  Result<std::uint32_t> sent_user(std::uint32_t uid) const { return users_.sent(uid); }
  Result<std::uint32_t> sent_group(std::uint32_t gid) const { return groups_.sent(gid); }

 private:
  struct Side {
    void add(std::uint32_t server, std::uint32_t ours);
    std::uint32_t shown(std::uint32_t server) const;
    Result<std::uint32_t> sent(std::uint32_t ours) const;

    std::unordered_map<std::uint32_t, std::uint32_t> ours_of;
    std::unordered_map<std::uint32_t, std::uint32_t> server_of;
    bool strict = false;
  };

  bool by_user_;
  std::uint32_t own_uid_;
  std::uint32_t own_gid_;
  Side users_;
  Side groups_;
};

}  // namespace sftpfs::fs
