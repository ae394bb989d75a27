// Twins: the same AES-CTR operation twice, by the provider under test and by OpenSSL's default
// one. Each step is done to both, and every answer must be the same.
//
// Ownership: the twins own both operations.
// Threads:   one thread for each object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "unit/ssh/spying_ctr.h"

namespace sftpfs::ssh::test {

class Twins {
 public:
  // The tested cipher comes in the way libssh2 gets it: EVP_aes_128_ctr() and no provider's name.
  Twins(std::size_t key_bits, std::uint64_t seed);

  // Random steps; false at the first answer that differs, what() tells which.
  bool live(unsigned steps);
  const char* what() const { return what_; }

 private:
  using Bytes = std::vector<unsigned char>;

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  Bytes bytes(std::size_t size);
  Bytes counter();
  bool same(bool equal, const char* what);

  bool step();
  bool start_afresh();
  bool start_again();
  bool run();
  bool call(std::size_t size);
  bool go_on_as_copies();
  bool set_something();
  bool write_to_the_counter();
  bool look();
  bool look_at_params();

  const std::size_t key_bits_;
  const EVP_CIPHER* tested_;
  Cipher reference_;
  std::mt19937_64 random_;
  CipherContext one_;    // of the provider under test
  CipherContext other_;  // of the default provider
  const Bytes text_;     // what is enciphered: pieces of it
  const char* what_ = "nothing";
};

}  // namespace sftpfs::ssh::test
