// Fuzzes what is read of ssh(1): the configuration it prints, and its complaints. The first byte
// chooses.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "ssh/client_config.h"
#include "ssh/needs.h"
#include "ssh/resolve.h"
#include "ssh/ssh_complaint.h"
#include "ssh/tokens.h"

namespace sftpfs::ssh {
namespace {

using fuzz::require;

constexpr const char* kWords[] = {
    "hostname",     "port",         "user",          "identityfile",
    "proxycommand", "proxyjump",    "ciphers",       "userknownhostsfile",
    "macs",         "hostkeyalias", "connecttimeout"};

void use_config(const ClientConfig& config) {
  for (const char* word : kWords) {
    const std::string value = config.get(word);
    require((config.find(word) == nullptr) == config.all(word).empty());
    for (const std::string& item : split_list(value)) require(!item.empty());
    TokenValues tokens;
    tokens.host = "h";
    for (const std::string& path : split_paths(value)) (void)expand_path(path, tokens);
    (void)expand_percent(value, tokens);
    (void)config.wanted(word);
    (void)config.yes(word);
  }
}

void fuzz_config(std::string_view text) {
  Result<ClientConfig> config = ClientConfig::parse(text);
  if (!config) {
    require(fuzz::is_one_line(config.error().message()));
    return;
  }
  use_config(*config);
  ClientConfig same = *config;
  same.compare_with(*config);
  for (const char* word : kWords) require(!same.named(word));
}

void fuzz_complaint(std::string_view text) {
  const Error error = ssh_complaint("user@host", text, "ended with status 255");
  require(!error.message().empty());
}

}  // namespace
}  // namespace sftpfs::ssh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::fuzz::FuzzInput input(data, size);
  if (input.byte() % 2 == 0) {
    sftpfs::ssh::fuzz_config(input.rest());
  } else {
    sftpfs::ssh::fuzz_complaint(input.rest());
  }
  return 0;
}
