// What sftpfsctl prints: reports as text, as Prometheus metrics, as one screen.
//
// Threads: pure functions.
// Limits:  names and messages come from servers and files; they are made printable.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ctl/report.h"

namespace sftpfs::ctl {

// One line for each mount, with a heading.
std::string render_list(const std::vector<Report>& reports);
// What a person wants to know of one mount.
std::string render_status(const Report& report);
// Every number, "name value" in each line.
std::string render_stats(const Report& report);
// The text format of Prometheus, for all mounts at once.
std::string render_prometheus(const std::vector<Report>& reports);
std::string render_operations(const std::vector<OperationReport>& operations);
// What changed between two reports of the same mount, `elapsed_s` apart.
std::string render_top(const Report& before, const Report& now, double elapsed_s);

// No line longer than a terminal is wide, so that a screen stays where it is; 0 cuts nothing.
std::string cut_lines(const std::string& text, std::size_t columns);

// What a mount has still to send.
struct Backlog {
  std::uint64_t bytes = 0;
  std::uint64_t changes = 0;  // of names and attributes
  bool any() const { return bytes > 0 || changes > 0; }
};
// Of a line of progress of the command flush.
Backlog backlog_of(const nlohmann::json& news);
// "1.5 MiB and 300 changes of names"
std::string backlog_text(const Backlog& backlog);

// "1.5 MiB"
std::string human_bytes(double bytes);
// "2h 05m"
std::string human_time(double seconds);

}  // namespace sftpfs::ctl
