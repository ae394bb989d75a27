// Algorithms: what libssh2 is told to propose to a server.
//
// Threads: supported_algorithms() with a session belongs to the session's thread, the rest to any.
#pragma once

#include <libssh2.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {

// What this libssh2 has for `method` (LIBSSH2_METHOD_...).
std::vector<std::string> supported_algorithms(LIBSSH2_SESSION* session, int method);
// The same without a session at hand.
std::vector<std::string> supported_algorithms(int method);

// The order in which to ask for algorithms: `preferred` as far as `supported` has them, then the
// rest; those that contain one of `avoided` only when there is nothing else.
std::vector<std::string> order_algorithms(const std::vector<std::string>& supported,
                                          const std::vector<std::string>& preferred,
                                          const std::vector<std::string>& avoided);

// What a list of ssh_config(5) makes of `ours`: "a,b" replaces it, "+a" adds behind, "^a" in front,
// "-a*" takes away. Only what `supported` has is left.
std::vector<std::string> apply_algorithm_list(const std::string& list,
                                              const std::vector<std::string>& ours,
                                              const std::vector<std::string>& supported);

struct Proposal {
  std::vector<std::string> kex;  // empty: libssh2's own
  std::vector<std::string> host_keys;
  std::vector<std::string> ciphers;
  std::vector<std::string> macs;
};

// `known_types` are the types of host keys we know, best first. kUnsupported, naming the word of
// ssh_config, where libssh2 has nothing of what the user wants.
Result<Proposal> make_proposal(LIBSSH2_SESSION* session, const AlgorithmLists& lists,
                               const std::vector<std::string>& known_types);

}  // namespace sftpfs::ssh
