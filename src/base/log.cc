// See log.h. The only file that includes spdlog, which is slow to compile.
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>

#include <atomic>
#include <memory>

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

// A server chooses file names and error texts: no line may be forged with them.
std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out;
}

}  // namespace

void log_open(LogSink sink, LogLevel level, const std::string& ident) {
  std::shared_ptr<spdlog::logger> logger;
  if (sink == LogSink::kSyslog) {
    auto out = std::make_shared<spdlog::sinks::syslog_sink_mt>(ident, LOG_PID, LOG_DAEMON, true);
    logger = std::make_shared<spdlog::logger>(ident, std::move(out));
    logger->set_pattern("%v");
  } else {
    auto out = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    logger = std::make_shared<spdlog::logger>(ident, std::move(out));
    logger->set_pattern("%H:%M:%S.%e %t %n %l: %v");
  }
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
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
  spdlog::default_logger_raw()->log(to_spdlog(level),
                                    spdlog::string_view_t(printable(line)));
}

}  // namespace sftpfs
