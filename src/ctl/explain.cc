// See explain.h.
#include "ctl/explain.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sftpfs::ctl {
namespace {

// clang-format off
constexpr Explanation kErrnos[] = {
    {"EACCES", "The server, or default_permissions here, does not allow it to this user.", "Look at the modes with ls -l; files belong to the server's user ids unless uid= and gid= are given. Other users of this machine need allow_other."},
    {"EPERM", "The server's user may not do that (chown, for example), or its file system cannot.", "Do it as a user of the server who may, or leave it: cp --no-preserve=ownership, rsync without -o -g."},
    {"ENOENT", "The name does not exist on the server, or did not when the answer was cached.", "If somebody else has just made it there, it appears after the attribute lifetime (dcache_timeout), or at once after: sftpfsctl drop-caches."},
    {"EEXIST", "The name exists on the server already.", "Another client may have made it; list the directory again."},
    {"ENOTEMPTY", "The directory on the server has entries, perhaps hidden ones.", "ls -la shows them."},
    {"ENOSPC", "The server's disk is full. The failed bytes are not there; the error is reported once, by the next write, fsync or close.", "Free space on the server and write the file again."},
    {"EDQUOT", "The quota of the server's user is used up.", "Free space on the server and write the file again."},
    {"EROFS", "The mount, or the server's file system, is read only.", "mount -o remount,rw DIR if the mount is; else it is for the server's administrator."},
    {"EXDEV", "A rename or link would cross file systems of the server.", "mv copies by itself then; other programmes need a directory on the same file system."},
    {"EOPNOTSUPP", "SFTP, or this server, has no such operation (extended attributes, special files, hard links without OpenSSH's extension).", "docs/SEMANTICS.md lists what is missing and what stands in for it."},
    {"ENOSYS", "SFTP, or this server, has no such operation.", "docs/SEMANTICS.md lists what is missing and what stands in for it."},
    {"EINTR", "A signal ended the wait for the server.", "The operation may or may not have happened; look, and repeat it."},
    {"ETIMEDOUT", "The mount is soft and the server did not answer within timeo seconds.", "sftpfsctl status DIR tells what it waits for; without the option soft, programmes wait until the server is back."},
    {"ESTALE", "The file was removed or replaced on the server while there was no connection, so it cannot be opened again.", "Close and open it again; what was not yet on the server is named in the log."},
    {"EIO", "The server refused without saying why, or broke the protocol.", "The log has a line with the path and the server's words: journalctl -t sftpfs."},
    {"ENOTCONN", "The programme behind the mount has ended, and nobody has taken the mount away.", "umount DIR (or fusermount3 -u -z DIR), then mount again; the log tells why it ended: journalctl -t sftpfs."},
    {"EBUSY", "Something uses the mount, or something is mounted there already.", "fuser -vm DIR names who; umount -l DIR takes it away all the same once they have ended."},
    {"ENODEV", "The kernel has no FUSE.", "modprobe fuse; in a container, /dev/fuse has to be passed in."},
    {"EMFILE", "This process, or the server's, has too many open files.", "Close some; the server's limit is LimitNOFILE of its sshd."},
};

constexpr Explanation kMessages[] = {
    {"host key ", "The server showed a key that known_hosts does not have, or not the one it has. Either the server was set up anew, or somebody else answers in its place.", "Ask the server's administrator for the fingerprint. If it is right: ssh-keygen -R HOST, then ssh HOST once, as the user who mounts (for fstab: root)."},
    {"cannot check the host key", "No file of known host keys could be read.", "ssh HOST once, as the user who mounts, or name a file with UserKnownHostsFile=."},
    {"publickey", "The server accepted none of the keys that were offered.", "Mount from fstab runs as root: name the key with IdentityFile=, and put its public half into ~/.ssh/authorized_keys on the server. ssh -v HOST shows what the server accepts."},
    {"wrong passphrase", "The key file is encrypted and the passphrase did not open it.", "Load the key into an agent (ssh-add), or use a key without a passphrase for mounts that nobody attends."},
    {"there is no terminal to ask at", "A password or a passphrase is needed and the mount was started by fstab or a service.", "Use a key without a passphrase or an agent, or set SSH_ASKPASS; for services see LoadCredential= in sftpfs@.service."},
    {"others may access it", "ssh refuses private keys that other users can read, and so do we.", "chmod 600 the key file."},
    {"cannot connect to", "The server's machine or its sshd is not reachable: wrong port, a firewall, no route, or it is down.", "ssh -p PORT HOST from the same machine; in fstab add _netdev, so that the network is up first."},
    {"cannot find host", "The name of the server is not known here, or not yet.", "getent hosts NAME; in fstab add _netdev. Names from ~/.ssh/config are looked for in the home of the user who mounts."},
    {"the server did not answer in time", "The connection was made, but nobody spoke SSH within ConnectTimeout.", "A firewall may swallow the packets, or sshd is overloaded; raise ConnectTimeout=."},
    {"no SSH server answered", "Something listens at that port, but it is not sshd, or sshd turned us away before it said a word.", "Look at the port (-p, Port= in ssh_config); on the server, MaxStartups and PerSourceMaxStartups limit how many may be at the door at once."},
    {"no algorithm in common", "Client and server share no cipher, key exchange, integrity check or type of host key.", "transport=ssh has all of OpenSSH's; with Ciphers=, KexAlgorithms=, MACs= or HostKeyAlgorithms= set, take them out. ssh -v HOST shows both lists."},
    {"the server refused to start", "sshd let us in, but has no such subsystem, or may not start it for this user.", "Look for Subsystem sftp in the server's sshd_config (dropbear needs an installed sftp-server); sftp_server=/usr/lib/openssh/sftp-server names one by its path."},
    {"where SFTP should begin", "The login shell of the server printed something before SFTP could begin.", "ssh HOST true must print nothing: move echo and the like in .bashrc behind a test for an interactive shell."},
    {"ssh does not understand its configuration", "ssh -G, which is asked what ssh_config says about the host, refused a word of it or of -o.", "The message names file and line; ssh -G HOST repeats it."},
    {"passive: standard input and output have ended", "The programme at the other end of standard input and output is gone, and cannot be called back.", "umount DIR, and start both again."},
    {"without SSH: nothing is encrypted", "directport=, vsock= or passive was given: SFTP is spoken without SSH.", "Right for a virtual machine or a local socket; over a network use SSH."},
    {"the server did not begin SFTP", "sshd let us in, but the sftp subsystem did not start.", "Look for Subsystem sftp in the server's sshd_config, and for output of the shell's start files: ssh HOST true must print nothing."},
    {"connection lost after", "The connection broke. Nothing is lost: programmes wait, and what was written is sent again when there is a new one.", "Nothing, unless it happens often: then ServerAliveInterval=15 keeps middle boxes from forgetting the connection."},
    {"no connection, waiting and trying again", "The server is away. Programmes that use the mount wait; a signal ends their wait.", "sftpfsctl status DIR tells for what; sftpfsctl reconnect DIR tries at once. With the option soft they fail after timeo seconds instead."},
    {"has ended without unmounting", "The process behind the mount was killed or has crashed; the kernel keeps the mount point, which answers ENOTCONN.", "umount -l the mount point and mount again; why it ended is in the log (journalctl -t sftpfs, coredumpctl)."},
    {"the server has been silent", "No answer to several pings: the connection is taken for dead and a new one is made.", "ServerAliveInterval= and ServerAliveCountMax= set the patience."},
    {"did not reach the server", "The mount ended before everything written was on the server.", "Each file is named in the log. umount waits umount_timeout seconds; sftpfsctl flush DIR before it shows how much is left."},
    {"an open file was lost with the connection", "While there was no connection the file was removed or replaced on the server.", "Programmes that have it open get ESTALE; open it again."},
    {"was never reported to its writer", "A write failed after the programme had been told it succeeded, and the programme ended without close or fsync.", "The bytes are not on the server: write the file again. -o sync or durability at the programme's fsync make errors visible at once."},
    {"is mounted there already", "The same source is mounted on the same directory.", "Nothing to do; nonempty mounts it a second time on top."},
    {"a dead mount", "The programme behind an earlier mount has ended and the mount was left.", "fusermount3 -u -z DIR, or umount -l DIR as root."},
    {"no such directory; make it with", "The mount point does not exist.", "mkdir -p DIR; systemd makes it by itself for mount units."},
    {"remote directory", "The directory to be mounted does not exist on the server, is a file, or may not be entered by the server's user.", "Check the path after the colon: without a leading slash it is relative to the login directory."},
    {"unknown option", "A word after -o is not known. Words of mount(8), sshfs, libfuse and ssh_config(5) are.", "sftpfs -h and sftpfs-options(5) list them; mount -s ignores unknown ones."},
    {"cannot change while it is mounted", "mount -o remount names an option that a mount has from its beginning to its end.", "umount DIR and mount again; sftpfs-options(5) marks those that can change with [remount]."},
    {"needs transport=ssh", "The option is one that only ssh(1) can honour.", "Add transport=ssh, or leave the option out."},
    {"libfuse refused the mount options", "libfuse does not know a word that was passed on to it.", "Its own line above names it; please report it."},
    {"fusermount3", "An ordinary user mounts through the set-user-id programme fusermount3, which said no.", "Install fuse3; allow_other for users needs user_allow_other in /etc/fuse.conf; the directory must be writable for you."},
    {"the sandbox lacks something", "The kernel refused a part of what sandbox=yes does: it is old, or a container forbids it. The mount serves, with more rights than it needs.", "Nothing has to be done; sandbox=no does without from the beginning."},
    {"no control socket", "Neither /run/sftpfs nor XDG_RUNTIME_DIR can be used, so sftpfsctl cannot reach this mount. It serves all the same.", "For services of users: Environment=XDG_RUNTIME_DIR=%t."},
};
// clang-format on

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view name_of_errno(std::string_view what) {
  int number = 0;
  const auto [end, failure] = std::from_chars(what.data(), what.data() + what.size(), number);
  if (failure == std::errc() && end == what.data() + what.size()) {
    const char* name = ::strerrorname_np(number);
    return name == nullptr ? std::string_view() : std::string_view(name);
  }
  return {};
}

// The text of strerror() for an errno's name.
std::string_view text_of_errno(std::string_view name) {
  constexpr int kErrnosMax = 134;
  for (int number = 1; number < kErrnosMax; ++number) {
    const char* known = ::strerrorname_np(number);
    if (known != nullptr && name == known) return ::strerrordesc_np(number);
  }
  return {};
}

bool names(std::string_view what, std::string_view name) {
  const std::size_t at = what.find(name);
  if (at == std::string_view::npos) return contains(what, text_of_errno(name));
  const auto is_letter = [what](std::size_t i) {
    return i < what.size() && what[i] >= 'A' && what[i] <= 'Z';
  };
  return !(at > 0 && is_letter(at - 1)) && !is_letter(at + name.size());
}

std::string paragraph(const Explanation& found) {
  return fmt::format("{}\n  cause: {}\n  cure:  {}\n", found.key, found.cause, found.cure);
}

void append_section(std::string& page, std::span<const Explanation> explanations) {
  for (const Explanation& each : explanations) {
    page += fmt::format("### {}\n\n{}\n\n*Cure:* {}\n\n", each.key, each.cause, each.cure);
  }
}

}  // namespace

std::span<const Explanation> errno_explanations() { return kErrnos; }
std::span<const Explanation> message_explanations() { return kMessages; }

std::string explain(std::string_view what) {
  const std::string_view number = name_of_errno(what);
  if (!number.empty()) what = number;
  std::string text;
  for (const Explanation& each : kMessages) {
    if (contains(what, each.key)) text += paragraph(each);
  }
  if (!text.empty()) return text;
  for (const Explanation& each : kErrnos) {
    if (names(what, each.key)) text += paragraph(each);
  }
  return text;
}

std::string troubleshooting_page() {
  std::string page =
      "# Troubleshooting\n\n"
      "By what you see. `sftpfsctl explain` prints the same for an errno or a line of the log:\n\n"
      "```sh\n"
      "sftpfsctl explain ETIMEDOUT\n"
      "sftpfsctl explain \"session 0: connection lost after 3.2 s: the server has been silent\"\n"
      "```\n\n"
      "The log of a daemon: `journalctl -t sftpfs` (or syslog); of a mount in the foreground "
      "(`sftpfs -f`):\nstandard error. `sftpfsctl status DIR` tells what a mount is doing and what "
      "it waits for,\n`sftpfsctl ops DIR` which operations, `sftpfsctl loglevel debug DIR` makes "
      "it "
      "say more.\n\n"
      "## Messages\n\n";
  append_section(page, kMessages);
  page += "## What programmes say (errno)\n\n";
  append_section(page, kErrnos);
  page.pop_back();
  return page;
}

}  // namespace sftpfs::ctl
