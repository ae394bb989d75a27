// See log.h. The only file that includes spdlog, which is slow to compile.
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <atomic>
#include <memory>

#include "base/printable.h"

namespace sftpfs {
namespace {

// Levels are read on hot paths, so they live outside spdlog's logger.
std::atomic<int> g_level{static_cast<int>(LogLevel::kWarning)};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return spdlog::level::trace;
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kOff: return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink, const std::string& ident,
                                            const char* pattern) {
  auto logger = std::make_shared<spdlog::logger>(ident, std::move(sink));
  logger->set_pattern(pattern);
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

std::shared_ptr<spdlog::logger> make_stderr_logger(const std::string& ident) {
  return make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), ident,
                     "%H:%M:%S.%e %t %n %l: %v");
}

// Not spdlog's default logger, which writes to standard output until it is replaced.
std::shared_ptr<spdlog::logger>& current_logger() {
  static std::shared_ptr<spdlog::logger> logger = make_stderr_logger("sftpfs");
  return logger;
}

}  // namespace

void log_open(LogSink sink, LogLevel level, const std::string& ident) {
  // First the old one goes: a syslog sink that dies calls closelog(), which would take the
  // identity and the facility from its successor.
  current_logger().reset();
  if (sink == LogSink::kSyslog) {
    current_logger() = make_logger(
        std::make_shared<spdlog::sinks::syslog_sink_mt>(ident, LOG_PID, LOG_DAEMON, true), ident,
        "%v");
  } else {
    current_logger() = make_stderr_logger(ident);
  }
  log_set_level(level);
}

void log_set_level(LogLevel level) {
  g_level.store(static_cast<int>(level), std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) {
  return static_cast<int>(level) >= g_level.load(std::memory_order_relaxed);
}

void log_write(LogLevel level, fmt::string_view format, fmt::format_args args) {
  const std::string line = fmt::vformat(format, args);
  // A server chooses file names and error texts: no line may be forged with them.
  const std::string visible = printable(line);
  current_logger()->log(to_spdlog(level), spdlog::string_view_t(visible));
}

}  // namespace sftpfs
