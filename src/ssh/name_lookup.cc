// See name_lookup.h.
#include "ssh/name_lookup.h"

#include <fmt/core.h>
#include <netdb.h>

#include <array>
#include <cstring>
#include <memory>
#include <thread>

namespace sftpfs::ssh {
namespace {

struct Lookup {
  std::string host;
  std::string service;
  int family = AF_UNSPEC;
  int flags = 0;
  int status = 0;
  int system_errno = 0;
  std::vector<Address> addresses;
  Interrupt done;
};

void run(Lookup& lookup) {
  addrinfo hints{};
  hints.ai_family = lookup.family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = lookup.flags;
  addrinfo* list = nullptr;
  lookup.status = ::getaddrinfo(lookup.host.c_str(), lookup.service.c_str(), &hints, &list);
  lookup.system_errno = errno;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, [](addrinfo* entries) {
    if (entries != nullptr) ::freeaddrinfo(entries);
  });
  if (lookup.status != 0) return;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    Address address;
    if (entry->ai_addrlen > sizeof(address.storage)) continue;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    lookup.addresses.push_back(address);
  }
}

Result<std::vector<Address>> result_of(Lookup& lookup) {
  if (lookup.status != 0 || lookup.addresses.empty()) {
    const char* why = lookup.status == EAI_SYSTEM ? std::strerror(lookup.system_errno)
                      : lookup.status == 0        ? "no address"
                                                  : ::gai_strerror(lookup.status);
    return fail(ErrorCode::kConnectionLost,
                fmt::format("cannot find host \"{}\": {}; check the name, or the name server",
                            lookup.host, why));
  }
  return std::move(lookup.addresses);
}

}  // namespace

std::string Address::text() const {
  std::array<char, NI_MAXHOST> name{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), size, name.data(), name.size(),
                    nullptr, 0, NI_NUMERICHOST) != 0) {
    return "unknown address";
  }
  return name.data();
}

Result<std::vector<Address>> look_up(const std::string& host, std::uint16_t port, int family,
                                     const Patience& patience) {
  auto lookup = std::make_shared<Lookup>();
  lookup->host = host;
  lookup->service = std::to_string(port);
  lookup->family = family;
  // A plain address needs no name server and no thread.
  lookup->flags = AI_NUMERICHOST;
  run(*lookup);
  if (lookup->status == 0) return result_of(*lookup);
  lookup->flags = 0;
  std::thread([lookup] {
    run(*lookup);
    lookup->done.raise();
  }).detach();
  // raised() is what makes the thread's results ours; the descriptor only wakes us.
  while (!lookup->done.raised()) {
    Status status = patience.wait(lookup->done.fd(), POLLIN);
    if (status) continue;
    if (!status.error().is(ErrorCode::kTimedOut)) return fail(status.error());
    return fail(
        ErrorCode::kTimedOut,
        fmt::format("cannot find host \"{}\": the name server did not answer in time", host));
  }
  return result_of(*lookup);
}

}  // namespace sftpfs::ssh
