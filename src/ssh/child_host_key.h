// ChildHostKey: pins the server's host key across the ssh(1) children of one mount.
//
// Where ssh is told to take keys that it does not know (StrictHostKeyChecking=no, accept-new), each
// child would take any, so a reconnection could end at somebody else's server. Therefore:
//
//   first child:  KnownHostsCommand tells us the key, on standard error  ─► pinned
//   later ones:   KnownHostsCommand names that key, nothing else is known, and checking is strict
//
// The report carries a word that only this process and its children know, so that no banner of a
// server can pass for it.
//
// Ownership: shared by the mount's Login and by the streams that may still bring the report.
// Threads:   any.
// Limits:    needs OpenSSH 8.5. Not where host certificates or a shared connection (ControlMaster)
//            show no key of the host. The first report stays.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ssh/options.h"

namespace sftpfs::ssh {

class ChildHostKey {
 public:
  ChildHostKey();
  // With a word of the caller's choice.
  explicit ChildHostKey(std::string word) : word_(std::move(word)) {}
  ChildHostKey(const ChildHostKey&) = delete;
  ChildHostKey& operator=(const ChildHostKey&) = delete;

  // What the next child's command line needs, before anything else.
  std::vector<std::pair<std::string, std::string>> child_options(const Options& options) const;
  // Whether `line` of standard error was the report; if so, it is taken.
  bool take_report(std::string_view line);
  // "ssh-ed25519 AAAA...", or empty.
  std::string pinned() const;

 private:
  const std::string word_;
  mutable std::mutex mutex_;
  std::string pinned_;  // guarded by mutex_
};

}  // namespace sftpfs::ssh
