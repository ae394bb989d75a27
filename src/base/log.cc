// See log.h. The only file that includes spdlog, which is slow to compile.
#include "base/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

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

std::vector<std::string>& journal_fields() {
  static std::vector<std::string> fields;
  return fields;
}

int journal_priority(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return LOG_ERR;
  if (level == spdlog::level::warn) return LOG_WARNING;
  return level == spdlog::level::info ? LOG_INFO : LOG_DEBUG;
}

class JournalSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit JournalSink(const std::string& ident) : ident_("SYSLOG_IDENTIFIER=" + ident) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string text =
        "MESSAGE=" + std::string(message.payload.data(), message.payload.size());
    const std::string priority = fmt::format("PRIORITY={}", journal_priority(message.level));
    std::vector<iovec> fields;
    const auto add = [&fields](const std::string& field) {
      fields.push_back(iovec{const_cast<char*>(field.data()), field.size()});
    };
    add(text);
    add(priority);
    add(ident_);
    for (const std::string& field : journal_fields()) add(field);
    ::sd_journal_sendv(fields.data(), static_cast<int>(fields.size()));
  }
  void flush_() override {}

  const std::string ident_;
};

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
  } else if (sink == LogSink::kJournal) {
    current_logger() = make_logger(std::make_shared<JournalSink>(ident), ident, "%v");
  } else {
    current_logger() = make_stderr_logger(ident);
  }
  log_set_level(level);
}

bool log_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

void log_add_field(const std::string& name, const std::string& value) {
  journal_fields().push_back(name + "=" + value);
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
