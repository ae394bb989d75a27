// Logging: levels and formatting here, sinks (stderr, syslog, journal) behind it in spdlog.
//
// Ownership: the process has one logger; log_open() is called by app/ before threads start.
// Threads:   every function may be called from any thread; the sinks lock.
// Limits:    never log under a lock of ours, never log a secret.
#pragma once

#include <fmt/core.h>

#include <string>

namespace sftpfs {

enum class LogLevel : int { kTrace = 0, kDebug, kInfo, kWarning, kError, kOff };

enum class LogSink {
  kStderr,   // foreground: lines on standard error
  kSyslog,   // daemon: syslog(3), which journald collects
  kJournal,  // the same, started by systemd: with the fields of log_add_field()
};

// Whether standard error is the journal's.
bool log_is_journal();
// A field for each line in the journal from now on ("SFTPFS_MOUNT"); before threads start.
void log_add_field(const std::string& name, const std::string& value);

// Chooses sink and level; `ident` prefixes each line (the programme's name).
void log_open(LogSink sink, LogLevel level, const std::string& ident);
void log_set_level(LogLevel level);
// True when a message of `level` would be written: the check is one relaxed load.
bool log_enabled(LogLevel level);
// Writes one already formatted line; control characters are made visible.
void log_write(LogLevel level, fmt::string_view format, fmt::format_args args);

template <class... Args>
void log_at(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_write(level, format, fmt::make_format_args(args...));
}
template <class... Args>
void log_trace(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kTrace, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace sftpfs
