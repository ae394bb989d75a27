// Fuzzes what sftpfsctl reads: reports of daemons that may be somebody else's, and the mount table.
// The first byte chooses.
#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/explain.h"
#include "ctl/fstab_line.h"
#include "ctl/mount_table.h"
#include "ctl/render.h"
#include "ctl/report.h"
#include "fuzz/fuzz_input.h"

namespace sftpfs::ctl {
namespace {

using fuzz::require;

constexpr std::ptrdiff_t kUnitLines = 14;

// Whatever a report holds, no terminal gets a control character of it.
void require_printable(std::string_view text) {
  for (const char c : text) {
    require(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  }
}

void fuzz_report(std::string_view text) {
  const nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return;
  const Result<Report> report = read_as<Report>(value);
  if (report) {
    require_printable(render_list({*report}));
    require_printable(render_status(*report));
    require_printable(render_stats(*report));
    require_printable(render_prometheus({*report}));
    (void)render_top(*report, *report, 1.0);
  }
  const Result<std::vector<OperationReport>> operations =
      read_as<std::vector<OperationReport>>(value);
  if (operations) require_printable(render_operations(*operations));
}

void fuzz_mount_table(std::string_view text) {
  for (const MountEntry& entry : parse_mountinfo(text)) {
    require(entry.directory.starts_with('/'));
    (void)find_mount({entry}, entry.directory);
    (void)find_mount_of({entry}, entry.directory + "/x");
    const FstabRequest request{entry.source, entry.directory, "ro"};
    const std::string line = fstab_line(request);
    require(line.find('\n') == line.size() - 1);
    const std::string unit = mount_unit(request);
    require(std::count(unit.begin(), unit.end(), '\n') == kUnitLines);
    require(unit_name(entry.directory).find('/') == std::string::npos);
  }
  (void)explain(text);
}

}  // namespace
}  // namespace sftpfs::ctl

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::fuzz::FuzzInput input(data, size);
  if (input.byte() % 2 == 0) {
    sftpfs::ctl::fuzz_report(input.rest());
  } else {
    sftpfs::ctl::fuzz_mount_table(input.rest());
  }
  return 0;
}
