// See algorithms.h.
#include "ssh/algorithms.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "ssh/client_config.h"
#include "ssh/wildcard.h"

namespace sftpfs::ssh {
namespace {

bool contains_any(const std::string& name, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(), [&name](const std::string& part) {
    return name.find(part) != std::string::npos;
  });
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append_new(std::vector<std::string>& to, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!has(to, name)) to.push_back(name);
  }
}

// The names under which a server may prove that it has a key of `type`.
std::vector<std::string> algorithms_of(const std::string& type) {
  if (type == "ssh-rsa") return {"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"};
  return {type};
}

// Counter mode with a plain MAC is the fastest that libssh2 has, in every version; what is avoided
// is weak, or lies behind known faults of some version (etm, chacha20).
std::vector<std::string> our_ciphers(const std::vector<std::string>& supported) {
  return order_algorithms(supported, {"aes128-ctr", "aes192-ctr", "aes256-ctr"},
                          {"cbc", "chacha20", "arcfour", "3des", "none", "blowfish", "cast128"});
}

std::vector<std::string> our_macs(const std::vector<std::string>& supported) {
  return order_algorithms(supported, {"hmac-sha2-256", "hmac-sha2-512", "hmac-sha1"},
                          {"etm", "md5", "ripemd", "sha1-96", "none"});
}

std::vector<std::string> known_first(const std::vector<std::string>& known_types) {
  std::vector<std::string> names;
  for (const std::string& type : known_types) append_new(names, algorithms_of(type));
  append_new(names, {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                     "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256"});
  return names;
}

Result<std::vector<std::string>> choose(LIBSSH2_SESSION* session, int method, std::string_view word,
                                        const std::string& list,
                                        const std::vector<std::string>& ours) {
  if (list.empty()) return ours;
  const std::vector<std::string> supported = supported_algorithms(session, method);
  std::vector<std::string> chosen = apply_algorithm_list(list, ours, supported);
  // Host certificates are listed by libssh2, but it cannot check them.
  std::erase_if(chosen, [](const std::string& name) { return contains_any(name, {"-cert-"}); });
  if (!chosen.empty()) return chosen;
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}={}: libssh2 {} has none of these (it has {}); use -o transport=ssh",
                          word, list, libssh2_version(0), fmt::join(supported, ",")));
}

}  // namespace

std::vector<std::string> supported_algorithms(LIBSSH2_SESSION* session, int method) {
  const char** names = nullptr;
  const int count = libssh2_session_supported_algs(session, method, &names);
  std::vector<std::string> list;
  for (int i = 0; i < count; ++i) list.emplace_back(names[i]);
  if (names != nullptr) libssh2_free(session, names);
  return list;
}

std::vector<std::string> supported_algorithms(int method) {
  const std::unique_ptr<LIBSSH2_SESSION, int (*)(LIBSSH2_SESSION*)> session(
      libssh2_session_init_ex(nullptr, nullptr, nullptr, nullptr), &libssh2_session_free);
  if (session == nullptr) return {};
  return supported_algorithms(session.get(), method);
}

std::vector<std::string> order_algorithms(const std::vector<std::string>& supported,
                                          const std::vector<std::string>& preferred,
                                          const std::vector<std::string>& avoided) {
  std::vector<std::string> ordered;
  for (const std::string& name : preferred) {
    if (has(supported, name)) ordered.push_back(name);
  }
  for (const std::string& name : supported) {
    if (!has(ordered, name) && !contains_any(name, avoided)) ordered.push_back(name);
  }
  return ordered.empty() ? supported : ordered;
}

std::vector<std::string> apply_algorithm_list(const std::string& list,
                                              const std::vector<std::string>& ours,
                                              const std::vector<std::string>& supported) {
  const char how = list.empty() ? '+' : list.front();
  const bool modifies = how == '+' || how == '-' || how == '^';
  const std::vector<std::string> named = split_list(
      modifies && !list.empty() ? std::string_view(list).substr(1) : std::string_view(list));
  std::vector<std::string> chosen;
  if (how == '^' || !modifies) append_new(chosen, named);
  if (modifies) append_new(chosen, ours);
  if (how == '+') append_new(chosen, named);
  if (how == '-') {
    std::erase_if(chosen, [&named](const std::string& name) {
      return std::any_of(named.begin(), named.end(), [&name](const std::string& pattern) {
        return wildcard_match(pattern, name);
      });
    });
  }
  std::erase_if(chosen, [&supported](const std::string& name) { return !has(supported, name); });
  return chosen;
}

Result<Proposal> make_proposal(LIBSSH2_SESSION* session, const AlgorithmLists& lists,
                               const std::vector<std::string>& known_types) {
  const auto supported = [session](int method) { return supported_algorithms(session, method); };
  const std::vector<std::string> known = known_first(known_types);
  const std::vector<std::string> key_names =
      order_algorithms(supported(LIBSSH2_METHOD_HOSTKEY), known, {"-cert-", "ssh-dss"});
  const std::vector<std::string> cipher_names = our_ciphers(supported(LIBSSH2_METHOD_CRYPT_CS));
  const std::vector<std::string> mac_names = our_macs(supported(LIBSSH2_METHOD_MAC_CS));
  const auto kex =
      choose(session, LIBSSH2_METHOD_KEX, "KexAlgorithms", lists.kex,
             lists.kex.empty() ? std::vector<std::string>() : supported(LIBSSH2_METHOD_KEX));
  auto keys =
      choose(session, LIBSSH2_METHOD_HOSTKEY, "HostKeyAlgorithms", lists.host_keys, key_names);
  const auto ciphers =
      choose(session, LIBSSH2_METHOD_CRYPT_CS, "Ciphers", lists.ciphers, cipher_names);
  const auto macs = choose(session, LIBSSH2_METHOD_MAC_CS, "MACs", lists.macs, mac_names);
  for (const auto* list : {&kex, &std::as_const(keys), &ciphers, &macs}) {
    if (!*list) return fail(list->error());
  }
  // A key that we know is what we want to see, among those that the user allows.
  const auto is_known = [&known_types](const std::string& name) {
    return std::any_of(known_types.begin(), known_types.end(),
                       [&name](const std::string& type) { return has(algorithms_of(type), name); });
  };
  std::stable_partition(keys->begin(), keys->end(), is_known);
  return Proposal{*kex, *keys, *ciphers, *macs};
}

}  // namespace sftpfs::ssh
