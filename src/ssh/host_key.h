// Decides whether the key a server has shown is the right one, before anything is told to it.
//
// Ownership: borrows everything for the call.
// Threads:   the thread that connects.
// Limits:    no host certificates; a host known only through an authority is refused with the
//            advice to use the ssh(1) transport.
#pragma once

#include <string>

#include "base/error.h"
#include "ssh/known_hosts.h"
#include "ssh/patience.h"
#include "ssh/prompter.h"
#include "ssh/resolve.h"

namespace sftpfs::ssh {

enum class HostKeyTrust : std::uint8_t {
  kFull,
  kNoPasswords,  // changed key under StrictHostKeyChecking=no: tell it nothing it could steal
};

// Applies the policy to the key `blob`; may ask (prompter may be null) and may record the key.
// Every refusal is a kHostKey error that names host, keys, place and cure.
Result<HostKeyTrust> check_host_key(const Target& target, const KnownHosts& known,
                                    const std::string& blob, const std::string& address,
                                    Prompter* prompter, Patience& patience);

}  // namespace sftpfs::ssh
