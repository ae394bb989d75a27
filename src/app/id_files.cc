// See id_files.h.
#include "app/id_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string>
#include <vector>

#include "app/values.h"
#include "base/printable.h"
#include "base/unique_fd.h"

namespace sftpfs::app {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 20;

using FindLocal = Result<std::uint32_t> (*)(std::string_view name);

Result<std::string> read_trusted(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat attributes {};
  if (!file || ::fstat(file.get(), &attributes) != 0) return fail(Error::system(errno, path));
  const bool ours = attributes.st_uid == ::geteuid() || attributes.st_uid == 0;
  if (!S_ISREG(attributes.st_mode) || !ours || (attributes.st_mode & 022) != 0) {
    return fail(ErrorCode::kInvalid,
                path + ": must be a file of your own that others may not write; chmod go-w it");
  }
  std::string text(kFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::system(errno, path));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kFileBytesMax) return fail(ErrorCode::kInvalid, path + ": longer than 1 MiB");
  text.resize(size);
  return text;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t colon = line.find(':');
    fields.push_back(line.substr(0, colon));
    if (colon == std::string_view::npos) return fields;
    line.remove_prefix(colon + 1);
  }
}

// The server's number in a line; the second field, or the third of a passwd or group file.
Result<std::uint32_t> number_in(const std::vector<std::string_view>& fields) {
  const std::size_t at = fields.size() > 2 ? 2 : 1;
  const Result<std::uint64_t> number = parse_number(at < fields.size() ? fields[at] : "");
  if (!number || *number > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kInvalid, "is not NAME:ID");
  }
  return static_cast<std::uint32_t>(*number);
}

Result<fs::IdPairs> read_pairs(const std::string& path, FindLocal find_local) {
  const Result<std::string> text = read_trusted(path);
  if (!text) return fail(text.error());
  fs::IdPairs pairs;
  std::string_view rest = *text;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::vector<std::string_view> fields = fields_of(line);
    const Result<std::uint32_t> theirs = number_in(fields);
    if (!theirs || fields.front().empty()) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}:{}: '{}' is not NAME:ID", path, number, printable(line)));
    }
    const Result<std::uint32_t> ours = find_local(fields.front());
    if (ours) pairs.emplace_back(*theirs, *ours);
  }
  return pairs;
}

}  // namespace

Result<fs::IdRules> id_rules(const Config& config) {
  fs::IdRules rules;
  rules.by_user = config.idmap == IdMapping::kUser;
  rules.own_uid = ::getuid();
  rules.own_gid = ::getgid();
  rules.pass_unmapped = config.nomap_ignore;
  if (config.idmap != IdMapping::kFile) return rules;
  const auto load = [](const std::string& path, FindLocal find,
                       std::optional<fs::IdPairs>& into) -> Status {
    if (path.empty()) return {};
    Result<fs::IdPairs> pairs = read_pairs(path, find);
    if (!pairs) return fail(pairs.error());
    into = std::move(*pairs);
    return {};
  };
  Status loaded = load(config.uid_file, parse_uid, rules.users);
  if (loaded) loaded = load(config.gid_file, parse_gid, rules.groups);
  if (!loaded) return fail(loaded.error());
  return rules;
}

}  // namespace sftpfs::app
