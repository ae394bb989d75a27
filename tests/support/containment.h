// Containment: runs a test programme so that nothing of it can stay behind.
//
//   test programme (waits)
//     └─ keeper: adopts every orphan; as root, process 1 of a PID namespace of its own
//          └─ the tests, in a mount namespace of their own (as root)
//
// When the tests have ended, by themselves or by a signal, the keeper looks for processes, mounts
// and temporary files that are left; each is named, and makes the run fail; then it removes them.
// When the outermost process is interrupted or killed, the keeper ends, and with it its whole
// namespace.
//
// Threads: call before any thread is started.
// Limits:  without root there are no namespaces: the keeper still adopts, finds and kills orphans.
#pragma once

#include <functional>

namespace sftpfs::test {

// Runs `tests` contained and returns its result, or 1 if something was left.
int run_contained(const std::function<int()>& tests);

// Whether the caller runs in namespaces of its own (mounts made here are seen by nobody else).
bool in_private_namespaces();

}  // namespace sftpfs::test
