// ProcessStream: a ByteStream through a child process: ssh(1), or a local sftp-server.
//
// Ownership: owns the child (child.h). Destroying it waits for nobody.
// Threads:   as SocketStream. The child ends with the thread that spawned it.
// Limits:    of standard error the last 4 KiB are kept: they are the text of the error when the
//            stream ends.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ssh/child.h"
#include "ssh/child_errors.h"
#include "ssh/socket_stream.h"

namespace sftpfs::ssh {

class ProcessStream final : public SocketStream {
 public:
  using LineWatch = ChildErrors::LineWatch;

  // `peer` names the other end in messages ("user@host"), `kind` what is between ("ssh").
  static Result<std::unique_ptr<ProcessStream>> spawn(const std::vector<std::string>& argv,
                                                      const std::string& peer,
                                                      const std::string& kind,
                                                      LineWatch line_watch = {},
                                                      const Child::Setup& setup = {});

  Status attach(runtime::Loop& loop, runtime::ByteStreamEvents& events) override;
  pid_t pid() const { return child_.pid(); }

 private:
  ProcessStream(Child::Started started, const std::string& peer, const std::string& kind,
                LineWatch line_watch);
  Error ending(int socket_errno) override;

  Child child_;
  std::string peer_;
  std::string kind_;
  ChildErrors errors_;
};

}  // namespace sftpfs::ssh
