// MountConfig: one of the ways to mount that the tests go through.
//
// Threads: plain values.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace sftpfs::test {

struct MountConfig {
  std::string transport = "libssh2";
  int workers = 1;
  int max_conns = 4;
  // Mounted with default_permissions and allow_other: the kernel checks modes, for every user.
  // Without them only the user who mounts may enter and the server checks.
  bool shared = true;
  // The server speaks version 3 of the protocol without a single extension.
  bool bare = false;
  // Mounted with durability=fsync: changes are answered before the server has them.
  bool ahead = false;

  // "libssh2_1x4", "ssh_2x4_private"
  std::string name() const {
    return transport + "_" + std::to_string(workers) + "x" + std::to_string(max_conns) +
           (shared ? "" : "_private") + (bare ? "_bare" : "") + (ahead ? "_ahead" : "");
  }
};

inline std::ostream& operator<<(std::ostream& out, const MountConfig& config) {
  return out << config.name();
}

// Both transports with workers x max_conns of 1x1, 1x4 and 2x4.
inline std::vector<MountConfig> all_configs() {
  std::vector<MountConfig> configs;
  for (const char* transport : {"libssh2", "ssh"}) {
    configs.push_back({transport, 1, 1, true});
    configs.push_back({transport, 1, 4, true});
    configs.push_back({transport, 2, 4, true});
  }
  return configs;
}

// For gtest's INSTANTIATE_TEST_SUITE_P.
struct ConfigName {
  template <class ParamInfo>
  std::string operator()(const ParamInfo& info) const {
    return info.param.name();
  }
};

}  // namespace sftpfs::test
