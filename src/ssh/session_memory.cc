// See session_memory.h.
#include "ssh/session_memory.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace sftpfs::ssh {

// Stands in front of each block, in a list of all of them.
struct alignas(std::max_align_t) SessionMemory::Header {
  Header* next;
  Header* previous;
  std::size_t size;
};

SessionMemory::Header* SessionMemory::header_of(void* memory) {
  return static_cast<Header*>(memory) - 1;
}

SessionMemory::~SessionMemory() {
  while (first_ != nullptr) release(first_ + 1);
}

void* SessionMemory::allocate(std::size_t size) {
  if (size > std::numeric_limits<std::size_t>::max() - sizeof(Header)) return nullptr;
  auto* header = static_cast<Header*>(std::malloc(sizeof(Header) + size));
  if (header == nullptr) return nullptr;
  *header = Header{first_, nullptr, size};
  if (first_ != nullptr) first_->previous = header;
  first_ = header;
  ++blocks_;
  return header + 1;
}

void SessionMemory::release(void* memory) {
  if (memory == nullptr) return;
  Header* header = header_of(memory);
  if (header->next != nullptr) header->next->previous = header->previous;
  (header->previous != nullptr ? header->previous->next : first_) = header->next;
  --blocks_;
  if (sensitive_) OPENSSL_cleanse(memory, header->size);
  std::free(header);
}

void* SessionMemory::reallocate(void* memory, std::size_t size) {
  if (memory == nullptr) return allocate(size);
  void* moved = allocate(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, std::min(size, header_of(memory)->size));
  release(memory);
  return moved;
}

}  // namespace sftpfs::ssh
