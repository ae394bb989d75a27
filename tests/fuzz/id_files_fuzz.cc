// Fuzzes uidfile= and gidfile=: the input is the file.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "app/id_files.h"
#include "base/unique_fd.h"
#include "fs/id_map.h"
#include "fuzz/fuzz_input.h"

namespace sftpfs::app {
namespace {

using fuzz::require;

// A file without a name, so that nothing is left behind.
UniqueFd file_with(std::string_view text) {
  UniqueFd file(::memfd_create("ids", MFD_CLOEXEC));
  require(static_cast<bool>(file) && ::fchmod(file.get(), 0600) == 0);
  if (!text.empty()) {
    require(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  return file;
}

void fuzz_id_files(fuzz::FuzzInput input) {
  const std::string_view text = input.rest();
  const UniqueFd file = file_with(text);
  Config config;
  config.idmap = IdMapping::kFile;
  config.uid_file = "/proc/self/fd/" + std::to_string(file.get());
  const Result<fs::IdRules> rules = id_rules(config);
  if (!rules) {
    require(fuzz::is_one_line(rules.error().message()));
    return;
  }
  require(rules->users.has_value());
  fs::IdMap map(*rules);
  for (const auto& [server, ours] : *rules->users) {
    // Several names may share a number; then the first counts, in both directions.
    require(map.sent_user(map.shown_user(server)).has_value());
    require(map.sent_user(ours).has_value());
  }
  require(map.shown_user(4'000'000'000U) == 65534 || !rules->users->empty());
}

}  // namespace
}  // namespace sftpfs::app

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::app::fuzz_id_files({data, size});
  return 0;
}
