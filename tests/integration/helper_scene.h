// HelperScene: the programme installed as mount(8) finds it, in a mount namespace of the test's
// own: /usr/sbin is covered by a directory that has the helpers besides everything else.
//
// Ownership: undone by the destructor.
// Threads:   one thread.
// Limits:    needs root and the private namespaces of containment.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {

class HelperScene {
 public:
  HelperScene();
  ~HelperScene();
  HelperScene(const HelperScene&) = delete;
  HelperScene& operator=(const HelperScene&) = delete;

  TestServer& server() { return server_; }
  const std::string& mount_point() const { return mount_point_; }
  std::string file(const std::string& name) const { return directory_.file(name); }
  // The type of the programme under test for mount -t: "sftpfs".
  static std::string type();
  // "-o" for this server; `identity_file` stands in for the key that it knows.
  std::string words(const std::vector<std::string>& extra = {},
                    const std::string& identity_file = {}) const;
  std::string source() const { return server_.source(server_.root()); }

  // Runs a programme; daemons it starts are remembered as the scene's.
  Outcome run_here(const Arguments& arguments) const;
  // mount -t TYPE SOURCE MOUNT_POINT -o WORDS
  Outcome mount(const std::string& source, const std::string& words) const;
  // Replaces /etc/fstab's place: the file for mount -T.
  void write_fstab(const std::string& line) const;
  Outcome mount_all() const;

  int mount_count() const;
  // Unmounts with umount(8); empty when nothing is left.
  std::string unmount() const;
  // Processes of this scene that run.
  std::vector<pid_t> daemons() const;

 private:
  void cover_sbin();

  TestServer server_;
  TempDir directory_;
  std::string mount_point_;
  std::string mark_;
  std::string sbin_;
};

}  // namespace sftpfs::test
