// Fuzzes what fstab and the command line reach: sources, -o strings and whole command lines.
//
// Lines of the input are the arguments. What is understood must keep the promises that the rest
// of the programme relies on: nothing that could be taken for a flag of ssh, no control characters.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/command_line.h"
#include "app/option_list.h"
#include "fuzz/fuzz_input.h"

namespace sftpfs::app {
namespace {

using fuzz::is_one_line;
using fuzz::require;

void check_config(const Config& config) {
  if (config.remount) return;
  const bool needs_host = !config.vsock && !config.passive;
  require(!config.source.host.empty() || !needs_host);
  require(!config.source.host.starts_with('-'));
  require(!config.source.user.starts_with('-'));
  require(is_one_line(config.source.text));
  require(config.max_conns >= 1 && config.max_conns <= 16 && config.workers <= config.max_conns);
  require(config.cache_size_bytes >= config.block_size_bytes);
  for (const SshOption& option : all_ssh_options(config)) {
    require(!option.name.empty() && is_one_line(option.name) && is_one_line(option.value));
  }
  require(split_options(join_options(fuse_mount_options(config))).has_value());
}

void fuzz(std::string_view input) {
  std::vector<std::string> lines = {""};
  for (const char c : input) {
    if (c == '\n') {
      lines.emplace_back();
    } else if (c != '\0') {
      lines.back().push_back(c);
    }
  }
  std::vector<const char*> arguments;
  for (const std::string& line : lines) arguments.push_back(line.c_str());
  const Result<CommandLine> parsed = parse_command_line(arguments);
  if (!parsed) {
    require(is_one_line(parsed.error().message()));
  } else if (parsed->action == Action::kMount) {
    check_config(parsed->config);
    for (const std::string& warning : parsed->warnings) require(is_one_line(warning));
  }
}

}  // namespace
}  // namespace sftpfs::app

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::app::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
