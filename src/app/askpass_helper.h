// The programme as ssh(1)'s SSH_ASKPASS (ssh/child_password.h): passes ssh's question on to the
// mount over standard error and its answer back over standard output.
//
// Threads: none yet.
// Limits:  one question per process. What the mount does not answer is asked at the terminal, where
//          the mount allows it and there is one.
#pragma once

namespace sftpfs::app {

// Whether ssh has started us for that.
bool called_as_askpass();
// The exit code; not 0: no answer.
int askpass_run(int argc, char** argv);

}  // namespace sftpfs::app
