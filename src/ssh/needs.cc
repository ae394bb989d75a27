// See needs.h.
#include "ssh/needs.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "ssh/agent.h"
#include "ssh/algorithms.h"
#include "ssh/key_file.h"
#include "ssh/known_hosts.h"
#include "ssh/program_output.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

constexpr std::chrono::seconds kAgentTimeout{1};
constexpr std::chrono::seconds kTicketTimeout{1};

struct Row {
  const char* keyword;
  const char* name;
};

constexpr std::array<Row, 3> kRefused{{
    {"revokedhostkeys", "RevokedHostKeys"},
    {"knownhostscommand", "KnownHostsCommand"},
    {"proxyusefdpass", "ProxyUseFdpass"},
}};

constexpr std::array<Row, 4> kWanted{{
    {"pkcs11provider", "PKCS11Provider"},
    {"hostbasedauthentication", "HostbasedAuthentication"},
    {"gssapikeyexchange", "GSSAPIKeyExchange"},
    {"verifyhostkeydns", "VerifyHostKeyDNS"},
}};

constexpr std::array<Row, 9> kHints{{
    {"controlmaster", "ControlMaster"},
    {"checkhostip", "CheckHostIP"},
    {"requiredrsasize", "RequiredRSASize"},
    {"updatehostkeys", "UpdateHostKeys"},
    {"visualhostkey", "VisualHostKey"},
    {"fingerprinthash", "FingerprintHash"},
    {"addkeystoagent", "AddKeysToAgent"},
    {"setenv", "SetEnv"},
    {"nohostauthenticationforlocalhost", "NoHostAuthenticationForLocalhost"},
}};

template <std::size_t N>
void collect(const ClientConfig& config, const std::array<Row, N>& rows,
             std::vector<std::string>& names) {
  for (const Row& row : rows) {
    if (config.named(row.keyword) && config.wanted(row.keyword)) names.emplace_back(row.name);
  }
}

// Distributions switch GSSAPI on for everybody; only who holds a ticket can use it.
bool has_ticket() {
  const Patience patience(kTicketTimeout, nullptr);
  const Result<ProgramOutput> klist = program_output({"klist", "-s"}, 4096, patience);
  if (klist) return klist->succeeded;
  return std::getenv("KRB5CCNAME") != nullptr ||
         ::access(fmt::format("/tmp/krb5cc_{}", ::getuid()).c_str(), F_OK) == 0;
}

void check_algorithms(const AlgorithmLists& lists, Needs& needs) {
  struct Wish {
    const char* name;
    const std::string& list;
    int method;
  };
  const std::array<Wish, 4> wishes{{{"KexAlgorithms", lists.kex, LIBSSH2_METHOD_KEX},
                                    {"HostKeyAlgorithms", lists.host_keys, LIBSSH2_METHOD_HOSTKEY},
                                    {"Ciphers", lists.ciphers, LIBSSH2_METHOD_CRYPT_CS},
                                    {"MACs", lists.macs, LIBSSH2_METHOD_MAC_CS}}};
  for (const Wish& wish : wishes) {
    if (wish.list.empty()) continue;
    const std::vector<std::string> supported = supported_algorithms(wish.method);
    if (apply_algorithm_list(wish.list, supported, supported).empty()) {
      needs.wanted.push_back(fmt::format("{}={}", wish.name, wish.list));
    }
  }
}

bool is_certificate(const std::string& type) { return type.find("-cert-v0") != std::string::npos; }
bool is_fido(const std::string& type) { return type.starts_with("sk-"); }

std::string type_of_key(const std::string& path) {
  const std::string blob = read_public_key(path);
  if (!blob.empty()) return key_type(blob);
  const Result<KeyFile> file = KeyFile::read(path);
  return file ? key_type(file->public_blob()) : std::string();
}

void check_files(const Target& target, Needs& needs) {
  for (const std::string& path : target.identity_files) {
    if (is_fido(type_of_key(path))) needs.wanted.push_back(fmt::format("FIDO key {}", path));
    const std::string certificate = path + "-cert.pub";
    if (::access(certificate.c_str(), R_OK) == 0) {
      needs.wanted.push_back(fmt::format("certificate {}", certificate));
    }
  }
  for (const std::string& path : target.certificate_files) {
    needs.wanted.push_back(fmt::format("certificate {}", path));
  }
}

bool is_usable_file(const std::string& path) {
  const std::string type = type_of_key(path);
  return !type.empty() && !is_fido(type) && ::access(path.c_str(), R_OK) == 0;
}

void check_agent(const Target& target, Needs& needs) {
  if (target.agent_socket.empty() || target.identities_only) return;
  Result<Agent> agent = Agent::open(target.agent_socket);
  if (!agent) return;
  const Patience patience(kAgentTimeout, nullptr);
  const Result<std::vector<AgentKey>> keys = agent->list(patience);
  if (!keys) return;
  bool usable =
      std::any_of(target.identity_files.begin(), target.identity_files.end(), is_usable_file);
  const AgentKey* fido = nullptr;
  for (const AgentKey& key : *keys) {
    const std::string type = key_type(key.blob);
    if (is_certificate(type)) {
      needs.wanted.push_back(fmt::format("certificate of the agent ({})", key.comment));
    } else if (is_fido(type)) {
      fido = &key;
    } else {
      usable = true;
    }
  }
  // One key among others is not worth another transport: it will hardly be the only one that opens.
  if (fido != nullptr && !usable) {
    needs.wanted.push_back(fmt::format("FIDO key of the agent ({})", fido->comment));
  }
}

void check_known_hosts(const Target& target, Needs& needs) {
  std::vector<std::string> files = target.user_known_hosts_files;
  files.insert(files.end(), target.global_known_hosts_files.begin(),
               target.global_known_hosts_files.end());
  // A file that cannot be read is a matter for the connection, which refuses then.
  const Result<KnownHosts> known = KnownHosts::load(files);
  if (!known) return;
  const std::vector<std::string> types = known->types_for(target.known_as, target.known_port);
  const std::vector<std::string> supported = supported_algorithms(LIBSSH2_METHOD_HOSTKEY);
  const auto can_check = [&supported](const std::string& type) {
    // The name is there in every version; before 1.11 it means SHA-1, which servers refuse.
    const std::string name = type == "ssh-rsa" ? "rsa-sha2-512" : type;
    return std::find(supported.begin(), supported.end(), name) != supported.end();
  };
  if (types.empty()) {
    if (known->check(target.known_as, target.known_port, {}).certificate_authority) {
      needs.wanted.emplace_back("host certificates (@cert-authority in known_hosts)");
    }
  } else if (std::none_of(types.begin(), types.end(), can_check)) {
    needs.wanted.push_back(
        fmt::format("{} host keys, and known_hosts has no other", types.front()));
  }
}

}  // namespace

Needs needs_of(const ClientConfig& config, const Target& target) {
  Needs needs;
  collect(config, kRefused, needs.refused);
  collect(config, kWanted, needs.wanted);
  collect(config, kHints, needs.hints);
  if (config.wanted("gssapiauthentication") && has_ticket()) {
    needs.wanted.emplace_back("GSSAPIAuthentication");
  }
  const std::string provider = config.get("securitykeyprovider");
  if (config.named("securitykeyprovider") && provider != "internal") {
    needs.wanted.emplace_back("SecurityKeyProvider");
  }
  if (config.named("rekeylimit")) {
    needs.wanted.emplace_back("RekeyLimit (it leaves that to the server)");
  }
  if (target.methods.empty()) {
    needs.wanted.push_back(
        fmt::format("PreferredAuthentications={}", config.get("preferredauthentications")));
  }
  check_algorithms(target.algorithms, needs);
  check_files(target, needs);
  check_agent(target, needs);
  check_known_hosts(target, needs);
  return needs;
}

}  // namespace sftpfs::ssh
