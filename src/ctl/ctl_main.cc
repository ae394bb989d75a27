// sftpfsctl: looks after mounts of sftpfs through their control sockets. Called as umount.sftpfs or
// umount.fuse.sftpfs it is the helper of umount(8).
#include <fmt/core.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/printable.h"
#include "ctl/client.h"
#include "ctl/explain.h"
#include "ctl/fstab_line.h"
#include "ctl/mount_table.h"
#include "ctl/render.h"
#include "ctl/rendezvous.h"
#include "ctl/umount_helper.h"

namespace sftpfs::ctl {
namespace {

using std::chrono::steady_clock;

constexpr int kFailure = 1;

int complain(const Error& error) {
  fmt::print(stderr, "sftpfsctl: {}\n", error.describe());
  return kFailure;
}

int wrong_usage(const std::string& what) {
  fmt::print(stderr, "sftpfsctl: {} (see sftpfsctl --help)\n", printable(what));
  return kFailure;
}

// The sockets of the mounts meant: the one of `path`, or all.
Result<std::vector<std::string>> sockets_for(const std::string& path) {
  if (path.empty()) return find_sockets(client_directories());
  Result<std::string> socket = socket_for(path);
  if (!socket) return fail(socket.error());
  return std::vector<std::string>{std::move(*socket)};
}

Result<Report> report_of(const std::string& socket) {
  const Result<nlohmann::json> answer = ask_once(socket, "report");
  if (!answer) return fail(answer.error());
  return read_as<Report>(*answer);
}

// Of all mounts that answer; with a `path`, its errors are the caller's.
Result<std::vector<Report>> reports_of(const std::string& path) {
  const Result<std::vector<std::string>> sockets = sockets_for(path);
  if (!sockets) return fail(sockets.error());
  std::vector<Report> reports;
  for (const std::string& socket : *sockets) {
    Result<Report> report = report_of(socket);
    if (report) {
      reports.push_back(std::move(*report));
    } else if (!path.empty()) {
      return fail(report.error());
    }
  }
  return reports;
}

// Its process was killed, and the mount left behind.
bool is_dead(const MountEntry& entry) {
  const Result<std::string> socket = socket_for(entry.directory);
  if (!socket) return false;
  const Result<Client> client = Client::connect(*socket);
  return !client && client.error().os_errno() == ECONNREFUSED;
}

// Mounts in the table that nobody answers for.
void add_silent_mounts(std::vector<Report>& reports) {
  const Result<std::vector<MountEntry>> table = read_mount_table();
  if (!table) return;
  std::set<std::string> known;
  for (const Report& report : reports) known.insert(report.mountpoint);
  for (const MountEntry& entry : *table) {
    if (entry.type != "fuse.sftpfs" || known.contains(entry.directory)) continue;
    Report silent;
    silent.mountpoint = entry.directory;
    silent.source = entry.source;
    silent.state = is_dead(entry) ? "dead" : "silent";
    reports.push_back(silent);
  }
}

std::string json_text(const nlohmann::json& value) {
  return value.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

int list(bool json) {
  Result<std::vector<Report>> reports = reports_of("");
  if (!reports) return complain(reports.error());
  add_silent_mounts(*reports);
  fmt::print("{}", json ? json_text(*reports) : render_list(*reports));
  return 0;
}

int status(const std::string& path) {
  const Result<std::vector<Report>> reports = reports_of(path);
  if (!reports) return complain(reports.error());
  for (const Report& report : *reports) fmt::print("{}", render_status(report));
  return 0;
}

int stats(const std::string& path, bool json, bool prometheus) {
  const Result<std::vector<Report>> reports = reports_of(path);
  if (!reports) return complain(reports.error());
  if (json) {
    fmt::print("{}", json_text(*reports));
  } else if (prometheus) {
    fmt::print("{}", render_prometheus(*reports));
  } else {
    for (const Report& report : *reports) fmt::print("{}", render_stats(report));
  }
  return 0;
}

int ops(const std::string& path, bool json) {
  const Result<std::vector<std::string>> sockets = sockets_for(path);
  if (!sockets) return complain(sockets.error());
  for (const std::string& socket : *sockets) {
    const Result<nlohmann::json> answer = ask_once(socket, "ops");
    if (!answer) return complain(answer.error());
    const auto operations = read_as<std::vector<OperationReport>>(*answer);
    if (!operations) return complain(operations.error());
    fmt::print("{}", json ? json_text(*answer) : render_operations(*operations));
  }
  return 0;
}

int flush(const std::string& path, bool progress) {
  const Result<std::vector<std::string>> sockets = sockets_for(path);
  if (!sockets) return complain(sockets.error());
  for (const std::string& socket : *sockets) {
    Result<Client> client = Client::connect(socket);
    if (!client) return complain(client.error());
    const Result<nlohmann::json> done =
        client->ask({{"command", "flush"}}, [progress](const nlohmann::json& news) {
          if (progress) fmt::print("{} to go\n", backlog_text(backlog_of(news)));
          std::fflush(stdout);
          return true;
        });
    if (!done) return complain(done.error());
  }
  return 0;
}

// A command without an answer worth showing.
int tell(const std::string& path, const nlohmann::json& request) {
  const Result<std::vector<std::string>> sockets = sockets_for(path);
  if (!sockets) return complain(sockets.error());
  for (const std::string& socket : *sockets) {
    Result<Client> client = Client::connect(socket);
    if (!client) return complain(client.error());
    const Result<nlohmann::json> done = client->ask(request);
    if (!done) return complain(done.error());
  }
  return 0;
}

// 0 where no terminal says how wide it is.
std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int top(const std::string& path, int rounds, double interval_s) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  Result<std::vector<Report>> before = reports_of(path);
  if (!before) return complain(before.error());
  steady_clock::time_point seen = steady_clock::now();
  for (int round = 0; rounds <= 0 || round < rounds; ++round) {
    std::this_thread::sleep_for(std::chrono::duration<double>(interval_s));
    Result<std::vector<Report>> now = reports_of(path);
    if (!now) return complain(now.error());
    const auto at = steady_clock::now();
    std::string screen;
    for (const Report& report : *now) {
      for (const Report& old : *before) {
        if (old.mountpoint != report.mountpoint || old.pid != report.pid) continue;
        screen += render_top(old, report, std::chrono::duration<double>(at - seen).count());
      }
    }
    if (terminal) fmt::print("\033[H\033[2J");
    fmt::print("{}", terminal ? cut_lines(screen, terminal_columns()) : screen);
    std::fflush(stdout);
    before = std::move(now);
    seen = at;
  }
  return 0;
}

int explain_it(const std::vector<std::string>& words, bool page) {
  if (page) {
    fmt::print("{}", troubleshooting_page());
    return 0;
  }
  if (words.empty()) return wrong_usage("explain what? An errno such as EIO, or a line of the log");
  std::string what;
  for (const std::string& word : words) what += (what.empty() ? "" : " ") + word;
  const std::string text = explain(what);
  if (text.empty()) {
    fmt::print(stderr,
               "sftpfsctl: nothing is known of '{}'; give an errno such as EIO or 5, or a line of "
               "the log\n",
               printable(what));
    return kFailure;
  }
  fmt::print("{}", text);
  return 0;
}

std::string mount_program() {
  if (const char* given = std::getenv("SFTPFS_PROGRAM")) return given;
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  std::string program = (self.parent_path() / "sftpfs").string();
  return !failure && ::access(program.c_str(), X_OK) == 0 ? program : "sftpfs";
}

// Connects with the mount programme that lies beside us, which mounts nothing.
int check_connection(const FstabRequest& request) {
  std::string program = mount_program();
  std::vector<std::string> words = {program, request.source, request.mountpoint, "-o", "check"};
  if (!request.options.empty()) words.back() += "," + request.options;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int started =
      ::posix_spawnp(&child, words.front().c_str(), nullptr, nullptr, arguments.data(), environ);
  if (started != 0) return complain(Error::system(started, program));
  int ended = 0;
  while (::waitpid(child, &ended, 0) < 0) {
    if (errno != EINTR) return complain(Error::system(errno, program));
  }
  return WIFEXITED(ended) ? WEXITSTATUS(ended) : kFailure;
}

int fstab(FstabRequest request, bool check) {
  request.mountpoint = absolute_path(request.mountpoint);
  if (check) {
    const int failed = check_connection(request);
    if (failed != 0) return failed;
  }
  fmt::print("# /etc/fstab\n{}\n# or /etc/systemd/system/{}.mount\n{}", fstab_line(request),
             unit_name(request.mountpoint), mount_unit(request));
  return 0;
}

// What the words on the command line have been read into.
struct Words {
  std::string path;
  bool json = false;
  bool prometheus = false;
  bool progress = false;
  bool page = false;
  bool no_check = false;
  std::string level;
  int rounds = 0;
  double interval_s = 1;
  std::vector<std::string> text;
  FstabRequest fstab;
};

void add_reading_commands(CLI::App& app, Words& words, std::function<int()>& run) {
  CLI::App* each = app.add_subcommand("list", "every mount of yours (as root: of everybody)");
  each->add_flag("--json", words.json, "as JSON");
  each->callback([&] { run = [&] { return list(words.json); }; });
  each = app.add_subcommand("status", "what a mount is doing and what it waits for");
  each->add_option("path", words.path, "a mount point, or anything in it (default: all mounts)");
  each->callback([&] { run = [&] { return status(words.path); }; });
  each = app.add_subcommand("stats", "every number a mount counts");
  each->add_option("path", words.path, "a mount point, or anything in it (default: all mounts)");
  each->add_flag("--json", words.json, "as JSON");
  each->add_flag("--prometheus", words.prometheus, "in the text format of Prometheus");
  each->callback([&] { run = [&] { return stats(words.path, words.json, words.prometheus); }; });
  each = app.add_subcommand("ops", "operations in flight, the oldest first");
  each->add_option("path", words.path, "a mount point, or anything in it (default: all mounts)");
  each->add_flag("--json", words.json, "as JSON");
  each->callback([&] { run = [&] { return ops(words.path, words.json); }; });
  each = app.add_subcommand("top", "throughput, cache and connections, live");
  each->add_option("path", words.path, "a mount point, or anything in it (default: all mounts)");
  each->add_option("-n,--rounds", words.rounds, "end after so many screens");
  each->add_option("-d,--delay", words.interval_s, "seconds between two screens (default: 1)")
      ->check(CLI::Range(0.1, 3600.0));
  each->callback([&] { run = [&] { return top(words.path, words.rounds, words.interval_s); }; });
}

void add_acting_commands(CLI::App& app, Words& words, std::function<int()>& run) {
  CLI::App* each = app.add_subcommand("flush", "wait until everything written is on the server");
  each->add_option("path", words.path, "a mount point, or anything in it (default: all mounts)");
  each->add_flag("--progress", words.progress, "say how much is left, twice a second");
  each->callback([&] { run = [&] { return flush(words.path, words.progress); }; });
  for (const auto& [name, help] :
       {std::pair{"reconnect", "give the connections up and make new ones"},
        {"drop-caches", "ask the server again for attributes, listings and contents"}}) {
    each = app.add_subcommand(name, help);
    each->add_option("path", words.path, "a mount point, or anything in it")->required();
    each->callback([&, command = std::string(name)] {
      run = [&, command] { return tell(words.path, {{"command", command}}); };
    });
  }
  each = app.add_subcommand("loglevel", "how much the mount logs from now on");
  each->add_option("level", words.level, "trace, debug, info, warning, error or off")->required();
  each->add_option("path", words.path, "a mount point, or anything in it")->required();
  each->callback([&] {
    run = [&] { return tell(words.path, {{"command", "loglevel"}, {"level", words.level}}); };
  });
}

void add_other_commands(CLI::App& app, Words& words, std::function<int()>& run) {
  CLI::App* each = app.add_subcommand("explain", "what an errno or a line of the log means");
  each->add_option("text", words.text, "EIO, 5, or the line");
  each->add_flag("--page", words.page, "everything, as docs/TROUBLESHOOTING.md");
  each->callback([&] { run = [&] { return explain_it(words.text, words.page); }; });
  each = app.add_subcommand("fstab", "test a connection; print a line for fstab and a unit");
  each->add_option("source", words.fstab.source, "[user@]host:[directory]")->required();
  each->add_option("directory", words.fstab.mountpoint, "where to mount it")->required();
  each->add_option("-o,--options", words.fstab.options, "further mount options");
  each->add_flag("--no-check", words.no_check, "do not connect");
  each->callback([&] { run = [&] { return fstab(words.fstab, !words.no_check); }; });
}

int ctl_run(int argc, char** argv) {
  CLI::App app("Looks after mounts of sftpfs.", "sftpfsctl");
  app.require_subcommand(1);
  app.set_version_flag("-V,--version", std::string("sftpfsctl ") + SFTPFS_VERSION);
  Words words;
  std::function<int()> run;
  add_reading_commands(app, words, run);
  add_acting_commands(app, words, run);
  add_other_commands(app, words, run);
  const std::string first = argc > 1 ? argv[1] : "";
  if (first.empty()) return wrong_usage("a command is missing");
  const auto is_meant = [&first](const CLI::App* each) { return each->get_name() == first; };
  if (first[0] != '-' && app.get_subcommands(is_meant).empty()) {
    return wrong_usage("there is no command '" + first + "'");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return wrong.get_exit_code() == 0 ? app.exit(wrong) : wrong_usage(wrong.what());
  }
  return run();
}

}  // namespace
}  // namespace sftpfs::ctl

int main(int argc, char** argv) {
  if (argc > 0 && sftpfs::ctl::called_as_umount_helper(argv[0])) {
    return sftpfs::ctl::umount_run(
        std::span<const char* const>(argv, static_cast<std::size_t>(argc)));
  }
  return sftpfs::ctl::ctl_run(argc, argv);
}
