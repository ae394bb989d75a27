// RequestInfo: what a request of the kernel is, read from its header; libfuse keeps that to itself.
//
// Threads: plain values, pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace sftpfs::fuse {

struct RequestInfo {
  std::uint32_t opcode = 0;
  std::uint64_t inode = 0;  // of the directory for operations on names
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  TimePoint begun{};
};

// Of a request as it was read from the device; nothing known where it is too short.
RequestInfo request_info(const void* request, std::size_t size_bytes);
// "READ"
const char* opcode_name(std::uint32_t opcode);

}  // namespace sftpfs::fuse
