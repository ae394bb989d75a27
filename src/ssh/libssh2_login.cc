// See libssh2_login.h.
#include "ssh/libssh2_login.h"

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "ssh/auth.h"
#include "ssh/known_hosts.h"
#include "ssh/proxy.h"
#include "ssh/public_key.h"
#include "ssh/tcp.h"

namespace sftpfs::ssh {
namespace {

Result<KnownHosts> load_known_hosts(const Target& target) {
  std::vector<std::string> files = target.user_known_hosts_files;
  files.insert(files.end(), target.global_known_hosts_files.begin(),
               target.global_known_hosts_files.end());
  Result<KnownHosts> known = KnownHosts::load(files);
  if (!known) {
    return fail(ErrorCode::kHostKey, fmt::format("cannot check the host key of {}: {}", target.host,
                                                 known.error().describe()));
  }
  return known;
}

Status check_pinned(const Target& target, const std::string& pinned, const std::string& shown) {
  if (shown == pinned) return {};
  return fail(ErrorCode::kHostKey,
              fmt::format("{} shows another host key ({}) than when this was mounted ({}); unmount "
                          "and mount again if you trust it",
                          target.host, describe_key(shown), describe_key(pinned)));
}

// Handshake and host key: after it we know whom we talk to.
Status meet(Libssh2Session& session, const LoginContext& context, const std::string& address) {
  const Target& target = context.target;
  const std::string pinned = context.login.pinned_host_key();
  KnownHosts known;
  std::vector<std::string> types{key_type(pinned)};
  if (pinned.empty()) {
    Result<KnownHosts> loaded = load_known_hosts(target);
    if (!loaded) return fail(loaded.error());
    known = std::move(*loaded);
    types = known.types_for(target.known_as, target.known_port);
  }
  if (Status met =
          session.handshake(types, target.algorithms, target.compression, context.patience);
      !met)
    return met;
  const std::string shown = session.host_key();
  if (!pinned.empty()) return check_pinned(target, pinned, shown);
  Result<HostKeyTrust> trust =
      check_host_key(target, known, shown, address, context.prompter, context.patience);
  if (!trust) return fail(trust.error());
  context.login.pin_host_key(shown, *trust);
  return {};
}

// The byte stream to the server's sshd, and what it runs through.
struct Road {
  UniqueFd socket;
  std::string address;  // for the question about a new host key
  std::unique_ptr<Proxy> proxy;
};

Result<Road> direct_road(const Target& target, const Patience& patience) {
  TcpDestination destination;
  destination.host = target.host;
  destination.port = target.port;
  destination.family = target.address_family;
  destination.unacknowledged_max = target.unacknowledged_max;
  destination.keep_alive = target.tcp_keep_alive;
  destination.type_of_service = target.type_of_service;
  destination.bind_address = target.bind_address;
  destination.bind_interface = target.bind_interface;
  for (int attempt = 1;; ++attempt) {
    Result<TcpConnection> tcp = tcp_connect(destination, patience);
    if (tcp) return Road{std::move(tcp->socket), std::move(tcp->address), nullptr};
    const bool final =
        attempt >= target.connection_attempts || !tcp.error().is(ErrorCode::kConnectionLost);
    if (final) return fail(tcp.error());
    // As ssh(1): a second between two attempts; ConnectTimeout bounds them all.
    if (Result<int> waited = patience.poll({}, std::chrono::seconds(1)); !waited) {
      return fail(tcp.error());
    }
  }
}

Result<Road> proxied_road(const LoginContext& context) {
  Result<Proxy::Started> started = Proxy::start(context.target, context.can_ask());
  if (!started) return fail(started.error());
  // A jump host may ask for its password first.
  if (context.can_ask()) {
    context.patience.restart(context.target.connect_timeout + context.target.auth_timeout);
  }
  return Road{std::move(started->socket), "through a proxy", std::move(started->proxy)};
}

}  // namespace

Result<std::unique_ptr<Libssh2Session>> log_in(const LoginContext& context) {
  const Target& target = context.target;
  const bool proxied = !target.proxy_command.empty() || !target.proxy_jump.empty();
  Result<Road> road = proxied ? proxied_road(context) : direct_road(target, context.patience);
  if (!road) return fail(road.error());
  Result<std::unique_ptr<Libssh2Session>> session =
      Libssh2Session::create(std::move(road->socket), target.label(), std::move(road->proxy));
  if (!session) return session;
  if (Status met = meet(**session, context, road->address); !met) return fail(met.error());
  context.patience.restart(target.auth_timeout);
  if (Status in = authenticate(**session, context); !in) return fail(in.error());
  return session;
}

}  // namespace sftpfs::ssh
