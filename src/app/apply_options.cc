// See apply_options.h.
#include "app/apply_options.h"

#include <fmt/core.h>

#include "base/printable.h"

namespace sftpfs::app {
namespace {

Status unknown(const MountOption& option, bool sloppy, ParsedOptions& into) {
  const std::string_view meant = suggest_option(option.name);
  const std::string name = printable(option.name);
  if (sloppy) {
    into.warnings.push_back(fmt::format("unknown option '{}' ignored", name));
    return {};
  }
  return fail(ErrorCode::kInvalid,
              meant.empty() ? fmt::format("unknown option '{}' (see sftpfs -h)", name)
                            : fmt::format("unknown option '{}', did you mean '{}'? (see sftpfs -h)",
                                          name, meant));
}

Status apply_known(const OptionRow& row, const MountOption& option, ParsedOptions& into) {
  const auto wrong = [&row](std::string_view cause) {
    return fail(ErrorCode::kInvalid, fmt::format("option '{}': {}", row.name, cause));
  };
  if (row.support == Support::kRefused) return wrong(row.help);
  if (option.value && !row.takes_value()) return wrong("takes no value");
  if (row.needs_value() && option.value.value_or("").empty()) {
    return wrong(fmt::format("needs a value ({}={})", row.name, row.placeholder));
  }
  if (row.support == Support::kMissing) {
    into.warnings.push_back(fmt::format("option '{}' has no effect: {}", row.name, row.help));
  }
  if (row.handler == nullptr) return {};
  const std::string value = option.value.value_or("");
  const OptionUse use{into, row, value};
  const Status applied = row.handler(use);
  if (!applied) return wrong(printable(applied.error().message()));
  return {};
}

}  // namespace

Status apply_options(const std::vector<MountOption>& options, bool sloppy, ParsedOptions& into) {
  for (const MountOption& option : options) {
    const OptionRow* row = find_option(option.name);
    const Status applied =
        row == nullptr ? unknown(option, sloppy, into) : apply_known(*row, option, into);
    if (!applied) return applied;
  }
  return {};
}

}  // namespace sftpfs::app
