// The values of options: numbers, sizes, times, switches. The errors name the value and give an
// example; the caller adds the option's name.
//
// Threads: parse_uid() and parse_gid() may ask the name service; the rest is pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace sftpfs::app {

Result<std::uint64_t> parse_number(std::string_view text);
// 4096, 64K, 512M, 2G, 1T (powers of 1024, either case, "iB" or "B" may follow).
Result<std::uint64_t> parse_size(std::string_view text);
// 20, 0.5: what libfuse calls a timeout.
Result<double> parse_seconds(std::string_view text);
// 30, 10m, 1h30m: the time format of ssh_config; "none" is 0.
Result<std::uint32_t> parse_ssh_time(std::string_view text);
// yes no true false on off 1 0
Result<bool> parse_switch(std::string_view text);
// 022, 0077
Result<std::uint32_t> parse_umask(std::string_view text);
// A number or a name.
Result<std::uint32_t> parse_uid(std::string_view text);
Result<std::uint32_t> parse_gid(std::string_view text);

// ASCII only: option names and keywords are.
bool equal_ignoring_case(std::string_view left, std::string_view right);

}  // namespace sftpfs::app
