// See attack.h.
#include "hostile/attack.h"

#include <sys/stat.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace sftpfs::test {
namespace {

constexpr char kStatus = 101;
constexpr char kHandle = 102;
constexpr char kData = 103;
constexpr char kName = 104;
constexpr char kAttrs = 105;
constexpr std::size_t kIdEnd = 5;  // type and request number
constexpr std::size_t kCountEnd = kIdEnd + 4;
constexpr std::uint32_t kEverySet = 0xffffffff;

std::string number32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string text(std::string_view bytes) {
  return number32(static_cast<std::uint32_t>(bytes.size())) + std::string(bytes);
}

std::string head(char type, const std::string& answer) {
  return std::string(1, type) + answer.substr(1, kIdEnd - 1);
}

std::string attributes(std::uint32_t mode, std::uint32_t fill) {
  // size, uid, gid, mode, atime, mtime
  return number32(0xf) + number32(fill) + number32(fill) + number32(fill) + number32(fill) +
         number32(mode) + number32(fill) + number32(fill);
}

std::string name_entry(std::string_view name) {
  return text(name) + text("long name") + attributes(S_IFREG | 0644, 1);
}

std::string names(const std::string& answer, const std::vector<std::string>& list) {
  std::string packet = head(kName, answer) + number32(static_cast<std::uint32_t>(list.size()));
  for (const std::string& name : list) packet += name_entry(name);
  return packet;
}

std::string evil_names(const std::string& answer) {
  using namespace std::string_literals;
  return names(answer, {"", ".", "..", "/", "../../etc/passwd", "a/b", "nul\0name"s, "\0"s,
                        std::string(256, 'x'), std::string(5000, 'y'), "line\nbreak", "\033[31mred",
                        "\xff\xfe", "good"});
}

std::string endless_names(const std::string& answer, std::uint32_t count) {
  std::vector<std::string> list;
  for (int i = 0; i < 100; ++i) {
    list.push_back(std::to_string(count) + "-" + std::to_string(i) + std::string(200, 'n'));
  }
  return names(answer, list);
}

std::string lie_about_attributes(Attack attack, const std::string& answer, std::uint32_t count) {
  constexpr std::array<std::uint32_t, 6> kTypes = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, 0};
  const std::string start = head(kAttrs, answer);
  switch (attack) {
    case Attack::kLyingAttributes: return start + attributes(kEverySet, kEverySet);
    case Attack::kChangingTypes:
      return start + attributes(kTypes[count % kTypes.size()] | 0755, count);
    case Attack::kNoAttributes: return start + number32(0);
    case Attack::kUnknownAttributes: return start + number32(kEverySet) + std::string(40, '\x7f');
    default: return answer;
  }
}

std::string lie_about_data(Attack attack, const std::string& answer) {
  const std::string bytes = answer.size() > kCountEnd ? answer.substr(kCountEnd) : std::string();
  switch (attack) {
    case Attack::kTooMuchData: return head(kData, answer) + text(bytes + std::string(300'000, 'x'));
    case Attack::kDataCountLies: return head(kData, answer) + number32(0xfffffff0) + bytes;
    case Attack::kEmptyData: return head(kData, answer) + number32(0);
    default: return answer;
  }
}

// The words of one kind of answer; others are left as they are.
std::string lie(Attack attack, const std::string& answer, std::uint32_t count, bool to_readdir) {
  const char type = answer[0];
  switch (attack) {
    case Attack::kSuccessWithoutResult:
      return type == kStatus ? answer
                             : head(kStatus, answer) + number32(0) + text("fine") + text("en");
    case Attack::kCountBomb:
      return type == kName ? head(kName, answer) + number32(kEverySet) + answer.substr(kCountEnd)
                           : answer;
    case Attack::kEvilNames: return to_readdir && type == kName ? evil_names(answer) : answer;
    case Attack::kEndlessListing: return to_readdir ? endless_names(answer, count) : answer;
    case Attack::kLongHandle:
      return type == kHandle ? head(kHandle, answer) + text(std::string(100'000, 'h')) : answer;
    case Attack::kEmptyHandle: return type == kHandle ? head(kHandle, answer) + text("") : answer;
    default: break;
  }
  if (type == kAttrs) return lie_about_attributes(attack, answer, count);
  if (type == kData) return lie_about_data(attack, answer);
  return answer;
}

constexpr std::array<std::pair<const char*, bool>, static_cast<std::size_t>(Attack::kEnd)> kNames{{
    {"none", true},
    {"oversized length", true},
    {"zero length", true},
    {"garbage", true},
    {"truncated body", false},
    {"trailing bytes", true},
    {"unknown type", true},
    {"other type", false},
    {"wrong id", true},
    {"twice", true},
    {"unasked", true},
    {"success without result", false},
    {"too much data", true},
    {"data count lies", true},
    {"empty data", false},
    {"count bomb", false},
    {"evil names", false},
    {"endless listing", false},
    {"lying attributes", false},
    {"changing types", false},
    {"no attributes", false},
    {"unknown attributes", false},
    {"long handle", false},
    {"empty handle", false},
    {"slow", false},
    {"hang up", true},
}};

}  // namespace

const char* attack_name(Attack attack) { return kNames[static_cast<std::size_t>(attack)].first; }

bool is_seen_through(Attack attack) { return kNames[static_cast<std::size_t>(attack)].second; }

std::string attacked(Attack attack, const std::string& answer, std::uint32_t number,
                     bool to_readdir) {
  if (answer.size() < kIdEnd) return text(answer);
  std::string changed = answer;
  switch (attack) {
    case Attack::kOversizedLength: return number32(kEverySet) + answer;
    case Attack::kZeroLength: return number32(0) + text(answer);
    case Attack::kGarbage:
      for (std::size_t i = 0; i < changed.size(); ++i) {
        changed[i] = static_cast<char>((i + number) * 2654435761U >> 13);
      }
      return changed + changed;
    case Attack::kTruncatedBody:
      return text(answer.substr(0, kIdEnd + (answer.size() - kIdEnd) / 2));
    case Attack::kTrailingBytes: return text(answer + "more than was said");
    case Attack::kUnknownType:
    case Attack::kOtherType:
      changed[0] = attack == Attack::kOtherType ? kAttrs : static_cast<char>(250);
      return text(changed);
    case Attack::kWrongId: changed[1] = static_cast<char>(changed[1] ^ 0x5a); return text(changed);
    case Attack::kTwice: return text(answer) + text(answer);
    case Attack::kUnasked:
      changed[1] = static_cast<char>(changed[1] ^ 0x5a);
      return text(changed) + text(answer);
    default: return text(lie(attack, answer, number, to_readdir));
  }
}

}  // namespace sftpfs::test
