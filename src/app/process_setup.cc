// See process_setup.h.
#include "app/process_setup.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/log.h"
#include "ctl/rendezvous.h"

namespace sftpfs::app {
namespace {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
  std::string home;
};

Result<Account> look_up(const std::string& name) {
  std::vector<char> buffer(65536);
  passwd entry{};
  passwd* found = nullptr;
  const int failure = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (failure != 0) return fail(Error::system(failure, fmt::format("option 'setuid': {}", name)));
  if (found == nullptr) {
    return fail(ErrorCode::kInvalid, fmt::format("option 'setuid': no user '{}'", name));
  }
  return Account{entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir};
}

Status change_ids(const Account& account) {
  const auto failed = [&account](const char* what) {
    return fail(
        Error::system(errno, fmt::format("option 'setuid': {} for {}", what, account.name)));
  };
  if (::initgroups(account.name.c_str(), account.gid) != 0) return failed("initgroups");
  if (::setresgid(account.gid, account.gid, account.gid) != 0) return failed("setresgid");
  if (::setresuid(account.uid, account.uid, account.uid) != 0) return failed("setresuid");
  return {};
}

}  // namespace

Status occupy_standard_fds() {
  int fd = -1;
  do {
    fd = ::open("/dev/null", O_RDWR);
    if (fd < 0) return fail(Error::system(errno, "/dev/null"));
  } while (fd <= STDERR_FILENO);
  ::close(fd);
  return {};
}

Status harden_process() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return fail(Error::system(errno, "RLIMIT_CORE"));
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return fail(Error::system(errno, "PR_SET_DUMPABLE"));
  return {};
}

void prepare_control_directory(const std::string& run_as) {
  if (::geteuid() != 0) return;
  std::optional<ctl::Owner> owner;
  if (!run_as.empty()) {
    const Result<Account> account = look_up(run_as);
    if (!account) return;  // become_user() says why
    owner = ctl::Owner{account->uid, account->gid};
  }
  const Status made = ctl::prepare_system_directory(owner);
  if (!made) log_info("no control socket: {}", made.error().describe());
}

Status become_user(const std::string& name) {
  const Result<Account> account = look_up(name);
  if (!account) return fail(account.error());
  if (::geteuid() != 0 && ::geteuid() != account->uid) {
    return fail(ErrorCode::kInvalid,
                fmt::format("option 'setuid': only root may become {}", account->name));
  }
  if (::geteuid() == 0) {
    const Status changed = change_ids(*account);
    if (!changed) return changed;
  }
  for (const auto& [variable, value] :
       {std::pair{"HOME", account->home}, {"USER", account->name}, {"LOGNAME", account->name}}) {
    if (::setenv(variable, value.c_str(), 1) != 0) return fail(Error::system(errno, variable));
  }
  return {};
}

}  // namespace sftpfs::app
