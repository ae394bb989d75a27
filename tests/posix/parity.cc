// See parity.h. At the end of a run it prints every difference that a case has declared, each
// with its reason; with SFTPFS_TEST_SEMANTICS_FILE, the reasons must be found in that document.
#include "posix/parity.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "support/temp_dir.h"
#include "support/test_error.h"
#include "support/test_mount.h"
#include "support/test_server.h"

namespace sftpfs::test {

namespace {

MountOptions options_for(const MountConfig& config) {
  MountOptions options;
  options.config = config;
  return options;
}

ServerOptions server_for(const MountConfig& config) {
  ServerOptions options;
  if (config.bare) {
    options.sftp_subsystem =
        "/usr/lib/openssh/sftp-server -P posix-rename,statvfs,fstatvfs,hardlink,fsync,lsetstat,"
        "limits,expand-path,copy-data,home-directory,users-groups-by-id";
  } else if (!config.shared) {
    // What a new object may be used for is the caller's decision.
    options.sftp_subsystem = "internal-sftp -u 0077";
  }
  return options;
}

struct Stage {
  explicit Stage(const MountConfig& config)
      : server(server_for(config)), mount(server, options_for(config)) {}
  TempDir local;
  TestServer server;
  TestMount mount;
};

// The words of the documentation's section "Differences", white space made equal.
std::string normalised(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t';
    if (!space || (!result.empty() && result.back() != ' ')) result += space ? ' ' : c;
  }
  return result;
}

std::string differences_section(const char* file) {
  std::ifstream document(file);
  const std::string text{std::istreambuf_iterator<char>(document), {}};
  const std::size_t start = text.find("## Differences");
  if (start == std::string::npos) return {};
  const std::size_t end = text.find("\n## ", start + 1);
  return normalised(text.substr(start, end == std::string::npos ? end : end - start));
}

// Owned by GoogleTest, which takes it down when all tests have ended.
class Stages : public testing::Environment {
 public:
  Stage& get(const MountConfig& config) {
    std::unique_ptr<Stage>& stage = stages_[config.name()];
    if (!stage) stage = std::make_unique<Stage>(config);
    return *stage;
  }
  void declare(const std::string& test, const Record& record) {
    differences_[record.reason].insert(test + ": " + record.what);
  }

  void TearDown() override {
    stages_.clear();
    const char* file = std::getenv("SFTPFS_TEST_SEMANTICS_FILE");
    const std::string documented = file == nullptr ? "" : differences_section(file);
    for (const auto& [reason, cases] : differences_) {
      std::printf("difference: %s (%zu cases, e.g. %s)\n", reason.c_str(), cases.size(),
                  cases.begin()->c_str());
      if (!documented.empty() && documented.find(normalised(reason)) == std::string::npos) {
        ADD_FAILURE() << file << ", section Differences, does not name: " << reason;
      }
    }
  }

 private:
  std::map<std::string, std::unique_ptr<Stage>> stages_;
  std::map<std::string, std::set<std::string>> differences_;
};

Stages* const stages = static_cast<Stages*>(testing::AddGlobalTestEnvironment(new Stages));

std::string make_case_dir(const std::string& parent, const std::string& name) {
  const std::string dir = parent + "/" + name;
  must(::mkdir(dir.c_str(), 0755), "mkdir " + dir);
  return dir;
}

void compare_records(const std::string& test, const Record& local, const Record& mounted) {
  EXPECT_EQ(local.what, mounted.what) << "the case took another way on the mount";
  if (local.reason.empty()) {
    EXPECT_EQ(local.value, mounted.value)
        << "at \"" << local.what << "\" (first local, then mounted)";
    return;
  }
  stages->declare(test, local);
  EXPECT_NE(local.value, mounted.value)
      << "at \"" << local.what << "\": the declared difference is none: " << local.reason;
}

}  // namespace

std::vector<MountConfig> every_waiting_mount() {
  std::vector<MountConfig> configs = all_configs();
  configs.push_back({"libssh2", 2, 4, false});
  configs.push_back({"ssh", 1, 1, false});
  return configs;
}

std::vector<MountConfig> every_mount() {
  std::vector<MountConfig> configs = every_waiting_mount();
  configs.push_back({"libssh2", 2, 4, true, false, true});
  return configs;
}

std::vector<MountConfig> every_server() {
  std::vector<MountConfig> configs = every_mount();
  configs.push_back({"libssh2", 2, 4, true, true});
  return configs;
}

void ParityTest::compare(Case body) {
  ::umask(022);
  const testing::TestInfo& info = *testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(info.test_suite_name()) + "." + info.name();
  std::replace(name.begin(), name.end(), '/', '-');
  Stage& stage = stages->get(GetParam());

  const std::string local_dir = make_case_dir(stage.local.path(), name);
  Scene local(local_dir, local_dir);
  body(local);
  Scene mounted(make_case_dir(stage.mount.path(), name), stage.server.root() + "/" + name,
                GetParam().ahead);
  body(mounted);

  ASSERT_FALSE(local.records().empty()) << "a case that records nothing proves nothing";
  const std::size_t common = std::min(local.records().size(), mounted.records().size());
  for (std::size_t i = 0; i < common; ++i) {
    compare_records(name, local.records()[i], mounted.records()[i]);
  }
  EXPECT_EQ(local.records().size(), mounted.records().size())
      << "the case took another way on the mount";
}

}  // namespace sftpfs::test
