// See option_table.h. The words of ssh_config(5) that make sense for a mount.
#include "app/option_handlers.h"
#include "app/option_table.h"

namespace sftpfs::app {
namespace {

using enum Section;
using enum Support;

constexpr std::uint64_t kPortMax = 65535;
constexpr std::uint64_t kAliveCountMax = 1'000'000;

// clang-format off
constexpr OptionRow kRows[] = {
    // Both transports.
    {"Port", "PORT", kSsh, kFull, store_within<&Config::port, parse_number, 1, kPortMax>, "port of the server (as -p)"},
    {"User", "NAME", kSsh, kFull, add_ssh_option, "login name, unless the source has one"},
    {"HostName", "NAME", kSsh, kFull, add_ssh_option, "real name or address of the host"},
    {"HostKeyAlias", "NAME", kSsh, kFull, add_ssh_option, "name to look up in known_hosts"},
    {"IdentityFile", "FILE", kSsh, kFull, add_identity_file, "private key; may be given several times"},
    {"IdentitiesOnly", "yes|no", kSsh, kFull, add_ssh_option, "offer no other keys"},
    {"IdentityAgent", "SOCKET", kSsh, kFull, add_ssh_option, "socket of the agent"},
    {"StrictHostKeyChecking", "WHEN", kSsh, kFull, store_text<&Config::strict_host_key_checking>, "yes, ask, accept-new or no"},
    {"UserKnownHostsFile", "FILE", kSsh, kFull, store_text<&Config::user_known_hosts_file>, "known host keys of the user"},
    {"GlobalKnownHostsFile", "FILE", kSsh, kFull, store_text<&Config::global_known_hosts_file>, "known host keys of the machine"},
    {"HashKnownHosts", "yes|no", kSsh, kFull, add_ssh_option, "record host names hashed"},
    {"ConnectTimeout", "TIME", kSsh, kFull, store<&Config::connect_timeout_s, parse_ssh_time>, "patience while connecting"},
    {"ServerAliveInterval", "TIME", kSsh, kFull, store<&Config::server_alive_interval_s, parse_ssh_time>, "ask a silent server for a sign of life"},
    {"ServerAliveCountMax", "N", kSsh, kFull, store_within<&Config::server_alive_count_max, parse_number, 1, kAliveCountMax>, "give up after so many unanswered"},
    {"AddressFamily", "FAMILY", kSsh, kFull, add_ssh_option, "any, inet or inet6"},
    {"BatchMode", "yes|no", kSsh, kFull, add_ssh_option, "never ask"},
    {"NumberOfPasswordPrompts", "N", kSsh, kFull, add_ssh_option, "how often to ask for a password"},
    {"Compression", "yes|no", kSsh, kFull, add_ssh_option, "compress (as -C); slows down fast links"},

    // How to get there, whom to trust, what to prove: nothing to go on without.
    {"ProxyJump", "HOST", kSsh, kFull, add_ssh_option, "go through this host"},
    {"ProxyCommand", "COMMAND", kSsh, kFull, add_ssh_option, "connect through this command"},
    {"ProxyUseFdpass", "yes|no", kSsh, kSshOnly, add_ssh_option, "the command passes a socket"},
    {"BindAddress", "ADDRESS", kSsh, kFull, add_ssh_option, "connect from this address"},
    {"BindInterface", "NAME", kSsh, kFull, add_ssh_option, "connect from this interface"},
    {"CertificateFile", "FILE", kSsh, kSshOnly, add_ssh_option, "certificate of a key"},
    {"PKCS11Provider", "LIBRARY", kSsh, kSshOnly, add_ssh_option, "keys on a smart card"},
    {"SmartcardDevice", "LIBRARY", kSsh, kSshOnly, add_ssh_option, "the same"},
    {"SecurityKeyProvider", "LIBRARY", kSsh, kSshOnly, add_ssh_option, "keys on a FIDO token"},
    {"GSSAPIAuthentication", "yes|no", kSsh, kSshOnly, add_ssh_option, "Kerberos"},
    {"GSSAPIDelegateCredentials", "yes|no", kSsh, kSshOnly, add_ssh_option, "Kerberos"},
    {"GSSAPIKeyExchange", "yes|no", kSsh, kSshOnly, add_ssh_option, "Kerberos"},
    {"GSSAPIClientIdentity", "NAME", kSsh, kSshOnly, add_ssh_option, "Kerberos"},
    {"GSSAPIServerIdentity", "NAME", kSsh, kSshOnly, add_ssh_option, "Kerberos"},
    {"GSSAPIRenewalForcesRekey", "yes|no", kSsh, kSshHint, add_ssh_option, "Kerberos"},
    {"GSSAPITrustDns", "yes|no", kSsh, kSshHint, add_ssh_option, "Kerberos"},
    {"GSSAPIKexAlgorithms", "LIST", kSsh, kSshHint, add_ssh_option, "Kerberos"},
    {"HostbasedAuthentication", "yes|no", kSsh, kSshOnly, add_ssh_option, "trust between hosts"},
    {"HostbasedAcceptedAlgorithms", "LIST", kSsh, kSshHint, add_ssh_option, "trust between hosts"},
    {"HostbasedKeyTypes", "LIST", kSsh, kSshHint, add_ssh_option, "the same"},
    {"EnableSSHKeysign", "yes|no", kSsh, kSshHint, add_ssh_option, "trust between hosts"},
    {"RevokedHostKeys", "FILE", kSsh, kSshOnly, add_ssh_option, "host keys to refuse"},
    {"KnownHostsCommand", "COMMAND", kSsh, kSshOnly, add_ssh_option, "where host keys come from"},
    {"VerifyHostKeyDNS", "yes|no|ask", kSsh, kSshOnly, add_ssh_option, "host keys in DNS"},
    {"HostKeyAlgorithms", "LIST", kSsh, kFull, add_ssh_option, "host keys to accept"},
    {"CASignatureAlgorithms", "LIST", kSsh, kSshOnly, add_ssh_option, "signatures of certificates to accept"},
    {"PubkeyAcceptedAlgorithms", "LIST", kSsh, kFull, add_ssh_option, "signatures to make"},
    {"PubkeyAcceptedKeyTypes", "LIST", kSsh, kFull, add_ssh_option, "the same"},
    {"KexAlgorithms", "LIST", kSsh, kFull, add_ssh_option, "key exchanges to accept"},
    {"MACs", "LIST", kSsh, kFull, add_ssh_option, "integrity checks to accept"},
    {"RequiredRSASize", "BITS", kSsh, kSshHint, add_ssh_option, "smallest RSA key to accept"},

    // Tuning and habits.
    {"Ciphers", "LIST", kSsh, kFull, add_ssh_option, "ciphers in order of preference"},
    {"Cipher", "NAME", kSsh, kNoEffect, nullptr, "SSH 1 only"},
    {"CompressionLevel", "N", kSsh, kNoEffect, nullptr, "SSH 1 only"},
    {"RekeyLimit", "LIMIT", kSsh, kSshHint, add_ssh_option, "when to change keys"},
    {"IPQoS", "CLASS", kSsh, kFull, add_ssh_option, "type of service"},
    {"TCPKeepAlive", "yes|no", kSsh, kFull, add_ssh_option, "see ServerAliveInterval"},
    {"ConnectionAttempts", "N", kSsh, kFull, add_ssh_option, "tries before giving up"},
    {"PreferredAuthentications", "LIST", kSsh, kFull, add_ssh_option, "order of methods"},
    {"PubkeyAuthentication", "yes|no", kSsh, kFull, add_ssh_method, "use keys"},
    {"PasswordAuthentication", "yes|no", kSsh, kFull, add_ssh_method, "use a password"},
    {"KbdInteractiveAuthentication", "yes|no", kSsh, kFull, add_ssh_method, "answer questions"},
    {"ChallengeResponseAuthentication", "yes|no", kSsh, kFull, add_ssh_method, "the same"},
    {"KbdInteractiveDevices", "LIST", kSsh, kSshHint, add_ssh_option, "order of question methods"},
    {"RSAAuthentication", "yes|no", kSsh, kNoEffect, nullptr, "SSH 1 only"},
    {"RhostsRSAAuthentication", "yes|no", kSsh, kNoEffect, nullptr, "SSH 1 only"},
    {"Protocol", "2", kSsh, kFull, set_ssh_protocol, "version 2 only"},
    {"UsePrivilegedPort", "yes|no", kSsh, kNoEffect, nullptr, "gone from OpenSSH"},
    {"UpdateHostKeys", "yes|no|ask", kSsh, kSshHint, add_ssh_option, "learn new host keys"},
    {"CheckHostIP", "yes|no", kSsh, kSshHint, add_ssh_option, "look up the address too"},
    {"NoHostAuthenticationForLocalhost", "yes|no", kSsh, kSshHint, add_ssh_option, "skip host keys of this machine"},
    {"VisualHostKey", "yes|no", kSsh, kSshHint, add_ssh_option, "draw host keys"},
    {"FingerprintHash", "KIND", kSsh, kSshHint, add_ssh_option, "how fingerprints are shown"},
    {"AddKeysToAgent", "yes|no|ask", kSsh, kSshHint, add_ssh_option, "keep unlocked keys in the agent"},
    {"ForwardAgent", "yes|no", kSsh, kSshHint, add_ssh_option, "lend the agent to the server"},
    {"ControlMaster", "WHEN", kSsh, kSshHint, add_ssh_option, "share connections"},
    {"ControlPath", "PATH", kSsh, kSshHint, add_ssh_option, "where they are shared"},
    {"ControlPersist", "TIME", kSsh, kSshHint, add_ssh_option, "how long they are shared"},
    {"CanonicalizeHostname", "yes|no", kSsh, kFull, add_ssh_option, "complete host names"},
    {"CanonicalDomains", "LIST", kSsh, kFull, add_ssh_option, "complete host names"},
    {"CanonicalizeFallbackLocal", "yes|no", kSsh, kFull, add_ssh_option, "complete host names"},
    {"CanonicalizeMaxDots", "N", kSsh, kFull, add_ssh_option, "complete host names"},
    {"CanonicalizePermittedCNAMEs", "LIST", kSsh, kFull, add_ssh_option, "complete host names"},
    {"SendEnv", "LIST", kSsh, kSshHint, add_ssh_option, "variables for the server"},
    {"SetEnv", "LIST", kSsh, kSshHint, add_ssh_option, "variables for the server"},
    {"LocalCommand", "COMMAND", kSsh, kSshHint, add_ssh_option, "run after connecting"},
    {"PermitLocalCommand", "yes|no", kSsh, kSshHint, add_ssh_option, "allow that"},
    {"IgnoreUnknown", "LIST", kSsh, kFull, add_ssh_option, "words to skip in ssh_config"},
    {"LogLevel", "LEVEL", kSsh, kFull, add_ssh_option, "how much is said, here too unless log_level= is given"},
    {"LogVerbose", "LIST", kSsh, kSshHint, add_ssh_option, "what ssh says"},
    {"SyslogFacility", "NAME", kSsh, kSshHint, add_ssh_option, "where ssh says it"},
    {"ObscureKeystrokeTiming", "[SPEC]", kSsh, kNoEffect, nullptr, "nothing is typed here"},
    {"ChannelTimeout", "SPEC", kSsh, kNoEffect, nullptr, "a mount is never idle for good"},
    {"Tag", "NAME", kSsh, kFull, add_ssh_option, "for 'Match tagged' in ssh_config"},
};
// clang-format on

}  // namespace

std::span<const OptionRow> ssh_option_rows() { return kRows; }

}  // namespace sftpfs::app
