// SessionMemory: the allocator of one libssh2 session. What the library forgets (1.10 loses some
// bytes with each key exchange and each list of methods) goes with the session, and while secrets
// pass through, everything it frees is wiped.
//
// Ownership: owns every block until release(); the destructor frees what is left.
// Threads:   those of its session: one at a time.
// Limits:    32 bytes more per block.
#pragma once

#include <cstddef>

namespace sftpfs::ssh {

class SessionMemory {
 public:
  SessionMemory() = default;
  ~SessionMemory();
  SessionMemory(const SessionMemory&) = delete;
  SessionMemory& operator=(const SessionMemory&) = delete;

  // Null when there is no memory.
  void* allocate(std::size_t size);
  void* reallocate(void* memory, std::size_t size);
  void release(void* memory);
  // From now on blocks are wiped when they are freed, or are not.
  void set_sensitive(bool sensitive) { sensitive_ = sensitive; }
  std::size_t blocks() const { return blocks_; }

 private:
  struct Header;
  static Header* header_of(void* memory);

  Header* first_ = nullptr;
  std::size_t blocks_ = 0;
  bool sensitive_ = false;
};

}  // namespace sftpfs::ssh
