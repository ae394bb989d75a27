// Login: what the first connection has learnt and further ones need: the host key, the password,
// the decrypted keys. With it a clone is made without asking anybody anything.
//
// Ownership: shared by the mount and its connector; secrets are wiped with it.
// Threads:   one attempt to connect at a time; can_clone(), needs_child() and
//            child_host_key() by any thread.
// Limits:    lives in memory only.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "ssh/child_host_key.h"
#include "ssh/host_key.h"
#include "ssh/private_key.h"
#include "ssh/secret.h"

namespace sftpfs::ssh {

class Login {
 public:
  // The key the server has shown at first; empty before that. Another one is refused for good,
  // whatever known_hosts says by then.
  const std::string& pinned_host_key() const { return pinned_host_key_; }
  HostKeyTrust trust() const { return trust_; }
  void pin_host_key(const std::string& blob, HostKeyTrust trust);

  // The same for the ssh(1) transport; any thread.
  const std::shared_ptr<ChildHostKey>& child_host_key() const { return child_host_key_; }

  // Null when none was needed so far.
  const Secret* password() const { return password_ ? &*password_ : nullptr; }
  void keep_password(Secret password) { password_ = std::move(password); }
  void forget_password() { password_.reset(); }

  const PrivateKey* find_key(const std::string& path) const;
  const PrivateKey& keep_key(const std::string& path, PrivateKey key);

  // The public key the server has accepted: offered first next time, because servers count tries.
  const std::string& accepted_key() const { return accepted_key_; }
  void set_accepted_key(const std::string& blob) { accepted_key_ = blob; }

  // False once something was asked that cannot be answered again (a one-time password).
  bool can_clone() const { return can_clone_.load(std::memory_order_relaxed); }
  void set_once_only() { can_clone_.store(false, std::memory_order_relaxed); }

  // The server has nothing in common with libssh2: transport=auto stays with ssh(1).
  bool needs_child() const { return needs_child_.load(std::memory_order_relaxed); }
  void set_needs_child() { needs_child_.store(true, std::memory_order_relaxed); }

 private:
  const std::shared_ptr<ChildHostKey> child_host_key_ = std::make_shared<ChildHostKey>();
  std::string pinned_host_key_;
  HostKeyTrust trust_ = HostKeyTrust::kFull;
  std::optional<Secret> password_;
  std::map<std::string, PrivateKey> keys_;  // by path
  std::string accepted_key_;
  std::atomic<bool> can_clone_{true};
  std::atomic<bool> needs_child_{false};
};

}  // namespace sftpfs::ssh
