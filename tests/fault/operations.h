// The operations that tests let run into a server that does not answer, each in a child process.
//
// Ownership: what an operation opens in its child ends with the child.
// Threads:   make_operation() in the test, the functions it returns in the child.
// Limits:    the mount needs the words of lasting_names().
#pragma once

#include <string>
#include <vector>

#include "fault/fault_scene.h"
#include "fault/operation_child.h"

namespace sftpfs::test {

// -o words: the kernel keeps the names and attributes that prepare() looks up, so that act() waits
// in the operation itself and not in a look-up before it.
const std::vector<std::string>& lasting_names();

// "stat", "open", "read", "write_fsync", "readdir", "statfs", "unlink", "close", "df", and some
// more that wait in other places.
const std::vector<std::string>& operation_names();

// Puts what the operation needs on the server, under a name of its own; `round` makes it another
// one each time.
Operation make_operation(FaultScene& scene, const std::string& name, int round);

}  // namespace sftpfs::test
