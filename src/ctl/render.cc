// See render.h.
#include "ctl/render.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/printable.h"

namespace sftpfs::ctl {
namespace {

struct Metric {
  const char* name;  // of the line; "_total" is added to those that count
  bool counts;
  const char* help;
  double (*value)(const Report&);
};

template <auto Member>
double of_report(const Report& report) {
  return static_cast<double>(report.*Member);
}
template <auto Member>
double of_cache(const Report& report) {
  return static_cast<double>(report.cache.*Member);
}
template <auto Member>
double of_counters(const Report& report) {
  return static_cast<double>(report.counters.*Member);
}
template <auto Member>
double over_sessions(const Report& report) {
  double sum = 0;
  for (const SessionReport& session : report.sessions) sum += static_cast<double>(session.*Member);
  return sum;
}

double sessions_ready(const Report& report) {
  return static_cast<double>(
      std::count_if(report.sessions.begin(), report.sessions.end(),
                    [](const SessionReport& session) { return session.state == "ready"; }));
}

double is_connected(const Report& report) { return report.state == "connected" ? 1 : 0; }

// The shortest round trip of all sessions, in milliseconds; 0: not known.
double round_trip_ms(const Report& report) {
  double best = 0;
  for (const SessionReport& session : report.sessions) {
    if (session.round_trip_ms <= 0) continue;
    best = best <= 0 ? session.round_trip_ms : std::min(best, session.round_trip_ms);
  }
  return best;
}

double round_trip_s(const Report& report) { return round_trip_ms(report) / 1000; }

// clang-format off
constexpr Metric kMetrics[] = {
    {"connected", false, "1 while at least one session is up", is_connected},
    {"uptime_seconds", false, "since the mount began", of_report<&Report::uptime_s>},
    {"sessions_ready", false, "connections that are up", sessions_ready},
    {"session_connections", true, "connections made so far", over_sessions<&SessionReport::connections>},
    {"requests_in_flight", false, "SFTP requests the server has not answered", over_sessions<&SessionReport::requests_in_flight>},
    {"round_trip_seconds", false, "smallest round trip seen lately; 0: not known", round_trip_s},
    {"dirty_bytes", false, "written here and not yet on the server", of_report<&Report::dirty_bytes>},
    {"dirty_bytes_max", false, "dirty bytes at which write(2) waits", of_report<&Report::dirty_bytes_max>},
    {"unsent_changes", false, "names and attributes changed here and not yet on the server", of_report<&Report::unsent_changes>},
    {"open_files", false, "open descriptors of files", of_report<&Report::open_files>},
    {"open_directories", false, "open descriptors of directories", of_report<&Report::open_directories>},
    {"inodes", false, "files and directories the kernel knows", of_report<&Report::inodes>},
    {"operations_in_flight", false, "requests of the kernel without an answer", of_report<&Report::operations_in_flight>},
    {"operations", true, "requests of the kernel", of_counters<&CounterReport::operations>},
    {"bytes_read", true, "bytes given to applications", of_counters<&CounterReport::bytes_read>},
    {"bytes_written", true, "bytes taken from applications", of_counters<&CounterReport::bytes_written>},
    {"reads", true, "read requests of the kernel", of_counters<&CounterReport::reads>},
    {"reads_from_cache", true, "reads answered from the block cache alone", of_counters<&CounterReport::reads_from_cache>},
    {"reads_around_cache", true, "reads for which the block cache had no room", of_counters<&CounterReport::reads_around_cache>},
    {"readahead_dropped", true, "blocks not read ahead because the cache had no room", of_counters<&CounterReport::readahead_dropped>},
    {"writes", true, "write requests of the kernel", of_counters<&CounterReport::writes>},
    {"writes_sent", true, "extents sent to the server", of_counters<&CounterReport::writes_sent>},
    {"write_errors", true, "extents the server refused", of_counters<&CounterReport::write_errors>},
    {"lanes_opened", true, "further handles of files, over other channels, for big transfers", of_counters<&CounterReport::lanes_opened>},
    {"stripings", true, "times that writes were spread over several channels", of_counters<&CounterReport::stripings>},
    {"changes_refused", true, "changes of names or attributes that were answered, and then refused by the server", of_counters<&CounterReport::changes_refused>},
    {"cache_blocks", false, "blocks the cache can hold", of_cache<&CacheReport::blocks>},
    {"cache_blocks_used", false, "blocks it holds", of_cache<&CacheReport::blocks_used>},
    {"cache_blocks_pinned", false, "blocks in use just now", of_cache<&CacheReport::blocks_pinned>},
    {"cache_block_bytes", false, "size of a block", of_cache<&CacheReport::block_size_bytes>},
    {"cache_hits", true, "blocks found", of_cache<&CacheReport::hits>},
    {"cache_loads", true, "blocks read from the server", of_cache<&CacheReport::loads>},
    {"cache_waits", true, "blocks somebody else was reading already", of_cache<&CacheReport::waits>},
    {"cache_busy", true, "turned away because every block was in use; many: enlarge cache_size", of_cache<&CacheReport::busy>},
    {"cache_evictions", true, "blocks given up for others", of_cache<&CacheReport::evictions>},
};
// clang-format on

std::string number(double value) {
  return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{:.6f}", value);
}

std::string label(const std::string& text) {
  std::string escaped;
  for (const char c : printable(text)) {
    if (c == '\\' || c == '"') escaped.push_back('\\');
    escaped.push_back(c);
  }
  return escaped;
}

double share_percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

std::string session_line(const SessionReport& session) {
  std::string line = fmt::format("  session {}: {}", session.index, printable(session.state));
  if (!session.server.empty()) {
    line += fmt::format(", {}, round trip {:.1f} ms, {} in flight, connection {}",
                        printable(session.server), session.round_trip_ms,
                        session.requests_in_flight, session.connections);
  }
  if (!session.error.empty()) line += ", " + printable(session.error);
  return line + "\n";
}

}  // namespace

std::string human_bytes(double bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

Backlog backlog_of(const nlohmann::json& news) {
  const auto number = [&news](const char* name) {
    return read_as<std::uint64_t>(news.value(name, nlohmann::json(0))).value_or(0);
  };
  return Backlog{number("dirty_bytes"), number("unsent_changes")};
}

std::string backlog_text(const Backlog& backlog) {
  const std::string bytes = human_bytes(static_cast<double>(backlog.bytes));
  if (backlog.changes == 0) return bytes;
  const std::string changes = fmt::format("{} changes of names", backlog.changes);
  return backlog.bytes == 0 ? changes : bytes + " and " + changes;
}

std::string human_time(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  // What a report says may be beyond every integer; or no number at all, which fmin leaves out.
  constexpr double kLongest = 1e12;
  const auto whole = static_cast<std::uint64_t>(std::fmin(seconds, kLongest));
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d {:02}h", whole / 86400, whole / 3600 % 24);
}

std::string render_list(const std::vector<Report>& reports) {
  std::string text = fmt::format("{:<32} {:<10} {:>8} {:>10}  {}\n", "MOUNT POINT", "STATE", "PID",
                                 "UNSENT", "SOURCE");
  for (const Report& report : reports) {
    text +=
        fmt::format("{:<32} {:<10} {:>8} {:>10}  {}\n", printable(report.mountpoint),
                    printable(report.state), report.pid == 0 ? "-" : fmt::format("{}", report.pid),
                    human_bytes(static_cast<double>(report.dirty_bytes)), printable(report.source));
  }
  return text;
}

std::string render_status(const Report& report) {
  std::string text = fmt::format(
      "{} on {}\n"
      "  state: {}{}{}\n"
      "  up {}, process {}, version {}, transport {}\n"
      "  server directory: {}\n",
      printable(report.source), printable(report.mountpoint), printable(report.state),
      report.message.empty() ? "" : ": ", printable(report.message), human_time(report.uptime_s),
      report.pid, printable(report.version), printable(report.transport),
      printable(report.remote_directory));
  for (const SessionReport& session : report.sessions) {
    if (session.connections != 0 || session.state != "idle") text += session_line(session);
  }
  text += fmt::format("  unsent data: {} of at most {}\n",
                      human_bytes(static_cast<double>(report.dirty_bytes)),
                      human_bytes(static_cast<double>(report.dirty_bytes_max)));
  if (report.unsent_changes > 0) {
    text += fmt::format("  unsent changes of names and attributes: {}\n", report.unsent_changes);
  }
  text += fmt::format("  open: {} files, {} directories; operations in flight: {}\n",
                      report.open_files, report.open_directories, report.operations_in_flight);
  const double cache_bytes =
      static_cast<double>(report.cache.blocks) * static_cast<double>(report.cache.block_size_bytes);
  text += fmt::format("  cache: {:.0f} % of {} used, {} hits, {} loads, {} times full\n",
                      share_percent(static_cast<double>(report.cache.blocks_used),
                                    static_cast<double>(report.cache.blocks)),
                      human_bytes(cache_bytes), report.cache.hits, report.cache.loads,
                      report.cache.busy);
  return text;
}

std::string render_stats(const Report& report) {
  std::string text = fmt::format("# {}\n", printable(report.mountpoint));
  for (const Metric& metric : kMetrics) {
    text += fmt::format("{:<24} {}\n", metric.name, number(metric.value(report)));
  }
  return text;
}

std::string render_prometheus(const std::vector<Report>& reports) {
  std::string text;
  for (const Metric& metric : kMetrics) {
    const std::string name = fmt::format("sftpfs_{}{}", metric.name, metric.counts ? "_total" : "");
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, metric.help, name,
                        metric.counts ? "counter" : "gauge");
    for (const Report& report : reports) {
      text +=
          fmt::format("{}{{mountpoint=\"{}\",source=\"{}\"}} {}\n", name, label(report.mountpoint),
                      label(report.source), number(metric.value(report)));
    }
  }
  return text;
}

std::string render_operations(const std::vector<OperationReport>& operations) {
  if (operations.empty()) return "nothing in flight\n";
  std::string text =
      fmt::format("{:>10} {:<16} {:>8} {:>8}  {}\n", "SINCE", "OPERATION", "PID", "UID", "PATH");
  for (const OperationReport& operation : operations) {
    text += fmt::format("{:>10} {:<16} {:>8} {:>8}  {}\n", human_time(operation.age_s),
                        printable(operation.name), operation.pid, operation.uid,
                        operation.path.empty() ? fmt::format("inode {}", operation.inode)
                                               : printable(operation.path));
  }
  return text;
}

std::string render_top(const Report& before, const Report& now, double elapsed_s) {
  const double interval = std::max(elapsed_s, 0.001);
  const auto rate = [&](std::uint64_t CounterReport::*member) {
    const double change =
        static_cast<double>(now.counters.*member) - static_cast<double>(before.counters.*member);
    return std::max(change, 0.0) / interval;
  };
  const auto cache_change = [&](std::uint64_t CacheReport::*member) {
    return std::max(
        static_cast<double>(now.cache.*member) - static_cast<double>(before.cache.*member), 0.0);
  };
  const double hits = cache_change(&CacheReport::hits);
  const double loads = cache_change(&CacheReport::loads);
  std::string text =
      fmt::format("{} on {}   {}, up {}\n", printable(now.source), printable(now.mountpoint),
                  printable(now.state), human_time(now.uptime_s));
  if (!now.message.empty()) text += fmt::format("  {}\n", printable(now.message));
  text += fmt::format("  read   {:>12}/s   write {:>12}/s   operations {:>8.0f}/s, {} in flight\n",
                      human_bytes(rate(&CounterReport::bytes_read)),
                      human_bytes(rate(&CounterReport::bytes_written)),
                      rate(&CounterReport::operations), now.operations_in_flight);
  text += fmt::format("  cache  {:>11.0f} % hits   busy {:>9.0f}      unsent {} of {}\n",
                      share_percent(hits, hits + loads), cache_change(&CacheReport::busy),
                      human_bytes(static_cast<double>(now.dirty_bytes)),
                      human_bytes(static_cast<double>(now.dirty_bytes_max)));
  text +=
      fmt::format("  sessions {:.0f} of {}   round trip {:.1f} ms   requests in flight {:.0f}\n",
                  sessions_ready(now), now.sessions.size(), round_trip_ms(now),
                  over_sessions<&SessionReport::requests_in_flight>(now));
  return text;
}

std::string cut_lines(const std::string& text, std::size_t columns) {
  std::string cut;
  std::size_t column = 0;
  for (const char each : text) {
    // The further bytes of a character in UTF-8 take no place of their own.
    const bool further = (static_cast<unsigned char>(each) & 0xc0U) == 0x80U;
    if (each == '\n') {
      column = 0;
    } else if (!further) {
      ++column;
    }
    if (columns == 0 || column <= columns) cut += each;
  }
  return cut;
}

}  // namespace sftpfs::ctl
