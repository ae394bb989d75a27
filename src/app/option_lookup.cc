// See option_table.h: finding rows by name, and the name that was meant.
#include <algorithm>
#include <vector>

#include "app/option_table.h"
#include "app/values.h"

namespace sftpfs::app {
namespace {

constexpr std::size_t kTypingErrorsMax = 2;

bool matches(const OptionRow& row, std::string_view name) {
  if (row.name.ends_with('*')) return name.starts_with(row.name.substr(0, row.name.size() - 1));
  return row.name == name;
}

// How many letters must be inserted, removed, replaced or swapped with their neighbour.
std::size_t typing_errors(std::string_view from, std::string_view to) {
  std::vector<std::vector<std::size_t>> cost(from.size() + 1,
                                             std::vector<std::size_t>(to.size() + 1));
  for (std::size_t i = 0; i <= from.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= to.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const bool same = equal_ignoring_case(from.substr(i - 1, 1), to.substr(j - 1, 1));
      cost[i][j] =
          std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[from.size()][to.size()];
}

}  // namespace

const OptionRow* find_option(std::string_view name) {
  for (const OptionRow& row : mount_option_rows()) {
    if (matches(row, name)) return &row;
  }
  for (const OptionRow& row : ssh_option_rows()) {
    if (equal_ignoring_case(row.name, name)) return &row;
  }
  return nullptr;
}

std::string_view suggest_option(std::string_view name) {
  std::string_view best;
  std::size_t fewest = kTypingErrorsMax + 1;
  const auto consider = [&](std::span<const OptionRow> rows) {
    for (const OptionRow& row : rows) {
      const std::size_t longer = std::max(row.name.size(), name.size());
      const std::size_t shorter = std::min(row.name.size(), name.size());
      // Long foreign words would only cost time; in short ones every letter would be wrong.
      if (longer - shorter > kTypingErrorsMax || shorter <= kTypingErrorsMax) continue;
      const std::size_t errors = typing_errors(name, row.name);
      const bool most_are_right = 2 * errors < longer;
      if (most_are_right && errors < fewest) {
        fewest = errors;
        best = row.name;
      }
    }
  };
  consider(mount_option_rows());
  consider(ssh_option_rows());
  return best;
}

}  // namespace sftpfs::app
