// See login.h.
#include "ssh/login.h"

#include <utility>

namespace sftpfs::ssh {

std::string Login::pinned_host_key() const {
  const std::lock_guard lock(mutex_);
  return pinned_host_key_;
}

HostKeyTrust Login::trust() const {
  const std::lock_guard lock(mutex_);
  return trust_;
}

void Login::pin_host_key(const std::string& blob, HostKeyTrust trust) {
  const std::lock_guard lock(mutex_);
  pinned_host_key_ = blob;
  trust_ = trust;
}

std::shared_ptr<const Secret> Login::password() const {
  const std::lock_guard lock(mutex_);
  return password_;
}

void Login::keep_password(Secret password) {
  auto kept = std::make_shared<const Secret>(std::move(password));
  const std::lock_guard lock(mutex_);
  password_ = std::move(kept);
}

std::shared_ptr<const PrivateKey> Login::find_key(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(path);
  return found == keys_.end() ? nullptr : found->second;
}

std::shared_ptr<const PrivateKey> Login::keep_key(const std::string& path, PrivateKey key) {
  auto kept = std::make_shared<const PrivateKey>(std::move(key));
  const std::lock_guard lock(mutex_);
  keys_.insert_or_assign(path, kept);
  return kept;
}

std::string Login::accepted_key() const {
  const std::lock_guard lock(mutex_);
  return accepted_key_;
}

void Login::set_accepted_key(const std::string& blob) {
  const std::lock_guard lock(mutex_);
  accepted_key_ = blob;
}

std::string Login::offered_methods() const {
  const std::lock_guard lock(mutex_);
  return offered_methods_;
}

void Login::set_offered_methods(const std::string& methods) {
  const std::lock_guard lock(mutex_);
  offered_methods_ = methods;
}

}  // namespace sftpfs::ssh
