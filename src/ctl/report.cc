// See report.h.
#include "ctl/report.h"

#include <cstdint>
#include <limits>

namespace sftpfs::ctl {

bool numbers_fit(const nlohmann::json& value) {
  // The library casts a fraction to whatever the member is, without looking.
  constexpr double kLargest = std::numeric_limits<std::uint32_t>::max();
  const auto fits = [](double number) { return number >= 0 && number <= kLargest; };
  // No recursion: a peer chooses the depth.
  std::vector<const nlohmann::json*> pending = {&value};
  while (!pending.empty()) {
    const nlohmann::json& next = *pending.back();
    pending.pop_back();
    if (next.is_number_float() && !fits(next.get<double>())) return false;
    if (!next.is_structured()) continue;
    for (const nlohmann::json& inner : next) pending.push_back(&inner);
  }
  return true;
}

}  // namespace sftpfs::ctl
