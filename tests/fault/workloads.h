// The programmes that work on a mount while its connections are broken, and how their work is
// checked on the server afterwards.
//
// Ownership: a Workload owns what it has prepared on this machine; what it makes on the mount goes
//            into one directory for each run, which check() removes when all is well.
// Threads:   one thread per object.
// Limits:    sizes are small unless full_run().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fault/fault_scene.h"
#include "support/process.h"

namespace sftpfs::test {

class Workload {
 public:
  virtual ~Workload() = default;
  // Prepares run number `number`; the programme that does the work, to be started and waited for.
  virtual Process start(int number) = 0;
  // What is wrong with the result of run `number`; empty: nothing.
  virtual std::string check(int number) = 0;
};

// "copy_up", "copy_down", "tar", "git_clone", "sqlite"
const std::vector<std::string>& workload_names();
std::unique_ptr<Workload> make_workload(const std::string& name, FaultScene& scene);

}  // namespace sftpfs::test
