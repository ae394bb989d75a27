// See process_setup.h.
#include "app/process_setup.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
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

// Unmounting; reading keys and known_hosts of users, and reaching their agents; locking secrets
// into memory.
constexpr std::array<unsigned, 4> kKeptCapabilities = {CAP_SYS_ADMIN, CAP_DAC_OVERRIDE,
                                                       CAP_DAC_READ_SEARCH, CAP_IPC_LOCK};

bool is_kept(unsigned capability) {
  return std::find(kKeptCapabilities.begin(), kKeptCapabilities.end(), capability) !=
         kKeptCapabilities.end();
}

Status drop_bounding_set() {
  // Up to the last one this kernel knows.
  for (unsigned capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    if (is_kept(capability) || ::prctl(PR_CAPBSET_READ, capability) == 0) continue;
    if (::prctl(PR_CAPBSET_DROP, capability) != 0) {
      return fail(Error::system(errno, "PR_CAPBSET_DROP"));
    }
  }
  return {};
}

Status drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) {
    return fail(Error::system(errno, "capget"));
  }
  for (std::size_t word = 0; word < sets.size(); ++word) {
    unsigned kept = 0;
    for (const unsigned capability : kKeptCapabilities) {
      if (capability / 32 == word) kept |= 1U << (capability % 32);
    }
    sets[word].permitted &= kept;
    sets[word].effective &= kept;
    sets[word].inheritable &= kept;
  }
  if (::syscall(SYS_capset, &header, sets.data()) != 0) {
    return fail(Error::system(errno, "capset"));
  }
  return {};
}

}  // namespace

Status drop_rights() {
  if (::geteuid() != 0) return {};
  Status done = drop_bounding_set();
  if (done) done = drop_capabilities();
  if (!done) return done;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(Error::system(errno, "PR_SET_NO_NEW_PRIVS"));
  }
  return {};
}

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

std::string own_program() {
  constexpr std::string_view kDeleted = " (deleted)";
  std::string path(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
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
