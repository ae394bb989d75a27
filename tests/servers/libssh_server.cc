// An SFTP server by libssh's own functions, for try_server.py: plain files, nothing more.
//
// usage: libssh_server HOST_KEY AUTHORIZED_KEY
//
// Prints its port. Each connection is a child's, which ends with it.
#include <dirent.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <libssh/sftp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

// libssh's sftp_reply_* take no more in one packet.
constexpr std::size_t kReadBytesMax = 128 * 1024;
constexpr int kNamesPerReply = 50;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "libssh_server: %s\n", what);
  std::exit(1);
}

struct Open {
  int fd = -1;
  DIR* directory = nullptr;
  std::string path;
};

int status_of_errno() {
  switch (errno) {
    case ENOENT: return SSH_FX_NO_SUCH_FILE;
    case EACCES:
    case EPERM: return SSH_FX_PERMISSION_DENIED;
    default: return SSH_FX_FAILURE;
  }
}

sftp_attributes_struct attributes_of(const struct stat& stat) {
  sftp_attributes_struct attributes{};
  attributes.flags = SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID |
                     SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME;
  attributes.size = static_cast<std::uint64_t>(stat.st_size);
  attributes.uid = stat.st_uid;
  attributes.gid = stat.st_gid;
  attributes.permissions = stat.st_mode;
  attributes.atime = static_cast<std::uint32_t>(stat.st_atime);
  attributes.mtime = static_cast<std::uint32_t>(stat.st_mtime);
  return attributes;
}

int open_flags(std::uint32_t asked) {
  int flags = O_CLOEXEC;
  const bool reads = (asked & SSH_FXF_READ) != 0;
  const bool writes = (asked & SSH_FXF_WRITE) != 0;
  flags |= reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
  if ((asked & SSH_FXF_CREAT) != 0) flags |= O_CREAT;
  if ((asked & SSH_FXF_TRUNC) != 0) flags |= O_TRUNC;
  if ((asked & SSH_FXF_EXCL) != 0) flags |= O_EXCL;
  if ((asked & SSH_FXF_APPEND) != 0) flags |= O_APPEND;
  return flags;
}

class Server {
 public:
  explicit Server(sftp_session sftp) : sftp_(sftp) {}

  void serve() {
    while (sftp_client_message message = sftp_get_client_message(sftp_)) {
      answer(message);
      sftp_client_message_free(message);
    }
  }

 private:
  void answer(sftp_client_message message) {
    const char* name = sftp_client_message_get_filename(message);
    const std::string path = name == nullptr ? "" : name;
    switch (sftp_client_message_get_type(message)) {
      case SFTP_OPEN: return open_file(message, path);
      case SFTP_CLOSE: return close_handle(message);
      case SFTP_READ: return read(message);
      case SFTP_WRITE: return write(message);
      case SFTP_OPENDIR: return open_directory(message, path);
      case SFTP_READDIR: return read_directory(message);
      case SFTP_STAT: return look(message, path, true);
      case SFTP_LSTAT: return look(message, path, false);
      case SFTP_FSTAT: return look_at_handle(message);
      case SFTP_SETSTAT: return status(message, change(path, *message->attr));
      case SFTP_FSETSTAT: return change_handle(message);
      case SFTP_REMOVE: return status(message, ::unlink(path.c_str()));
      case SFTP_MKDIR: return status(message, ::mkdir(path.c_str(), 0777));
      case SFTP_RMDIR: return status(message, ::rmdir(path.c_str()));
      case SFTP_RENAME: return status(message, rename_new(path, message));
      case SFTP_REALPATH: return real_path(message, path);
      case SFTP_READLINK: return read_link(message, path);
      case SFTP_EXTENDED: return extended(message, path);
      default: sftp_reply_status(message, SSH_FX_OP_UNSUPPORTED, "not supported");
    }
  }

  static void status(sftp_client_message message, int result) {
    sftp_reply_status(message, result == 0 ? SSH_FX_OK : status_of_errno(), "");
  }
  Open* find(sftp_client_message message) {
    return static_cast<Open*>(sftp_handle(sftp_, message->handle));
  }
  void give_handle(sftp_client_message message, Open opened) {
    auto owned = std::make_unique<Open>(std::move(opened));
    ssh_string handle = sftp_handle_alloc(sftp_, owned.get());
    if (handle == nullptr) {
      sftp_reply_status(message, SSH_FX_FAILURE, "too many handles");
      return;
    }
    open_.push_back(std::move(owned));
    sftp_reply_handle(message, handle);
    ssh_string_free(handle);
  }

  void open_file(sftp_client_message message, const std::string& path) {
    const mode_t mode = (message->attr->flags & SSH_FILEXFER_ATTR_PERMISSIONS) != 0
                            ? message->attr->permissions & 07777
                            : 0666;
    Open opened;
    opened.path = path;
    opened.fd = ::open(path.c_str(), open_flags(sftp_client_message_get_flags(message)), mode);
    if (opened.fd < 0) return status(message, -1);
    give_handle(message, std::move(opened));
  }

  void open_directory(sftp_client_message message, const std::string& path) {
    Open opened;
    opened.path = path;
    opened.directory = ::opendir(path.c_str());
    if (opened.directory == nullptr) return status(message, -1);
    give_handle(message, std::move(opened));
  }

  void close_handle(sftp_client_message message) {
    Open* opened = find(message);
    errno = EBADF;
    if (opened == nullptr) return status(message, -1);
    const int result =
        opened->directory != nullptr ? ::closedir(opened->directory) : ::close(opened->fd);
    sftp_handle_remove(sftp_, opened);
    std::erase_if(open_, [opened](const auto& each) { return each.get() == opened; });
    status(message, result);
  }

  void read(sftp_client_message message) {
    const Open* opened = find(message);
    std::vector<char> bytes(std::min<std::size_t>(message->len, kReadBytesMax));
    errno = EBADF;
    const ssize_t got = opened == nullptr ? -1
                                          : ::pread(opened->fd, bytes.data(), bytes.size(),
                                                    static_cast<off_t>(message->offset));
    if (got < 0) return status(message, -1);
    if (got == 0) {
      sftp_reply_status(message, SSH_FX_EOF, "end");
      return;
    }
    sftp_reply_data(message, bytes.data(), static_cast<int>(got));
  }

  void write(sftp_client_message message) {
    const Open* opened = find(message);
    const std::size_t size = ssh_string_len(message->data);
    errno = EBADF;
    const ssize_t put = opened == nullptr ? -1
                                          : ::pwrite(opened->fd, ssh_string_data(message->data),
                                                     size, static_cast<off_t>(message->offset));
    status(message, put == static_cast<ssize_t>(size) ? 0 : -1);
  }

  void read_directory(sftp_client_message message) {
    Open* opened = find(message);
    errno = EBADF;
    if (opened == nullptr || opened->directory == nullptr) return status(message, -1);
    int count = 0;
    while (count < kNamesPerReply) {
      const dirent* entry = ::readdir(opened->directory);
      if (entry == nullptr) break;
      struct stat found {};
      if (::lstat((opened->path + "/" + entry->d_name).c_str(), &found) != 0) continue;
      sftp_attributes_struct attributes = attributes_of(found);
      sftp_reply_names_add(message, entry->d_name, entry->d_name, &attributes);
      ++count;
    }
    if (count == 0) {
      sftp_reply_status(message, SSH_FX_EOF, "end");
    } else {
      sftp_reply_names(message);
    }
  }

  static void look(sftp_client_message message, const std::string& path, bool follow) {
    struct stat found {};
    const int result = follow ? ::stat(path.c_str(), &found) : ::lstat(path.c_str(), &found);
    if (result != 0) return status(message, -1);
    sftp_attributes_struct attributes = attributes_of(found);
    sftp_reply_attr(message, &attributes);
  }
  void look_at_handle(sftp_client_message message) {
    const Open* opened = find(message);
    struct stat found {};
    errno = EBADF;
    if (opened == nullptr || ::fstat(opened->fd, &found) != 0) return status(message, -1);
    sftp_attributes_struct attributes = attributes_of(found);
    sftp_reply_attr(message, &attributes);
  }

  static int change(const std::string& path, const sftp_attributes_struct& wanted) {
    if ((wanted.flags & SSH_FILEXFER_ATTR_SIZE) != 0 &&
        ::truncate(path.c_str(), static_cast<off_t>(wanted.size)) != 0) {
      return -1;
    }
    if ((wanted.flags & SSH_FILEXFER_ATTR_PERMISSIONS) != 0 &&
        ::chmod(path.c_str(), wanted.permissions & 07777) != 0) {
      return -1;
    }
    if ((wanted.flags & SSH_FILEXFER_ATTR_ACMODTIME) == 0) return 0;
    const timeval times[2] = {{wanted.atime, 0}, {wanted.mtime, 0}};
    return ::utimes(path.c_str(), times);
  }
  void change_handle(sftp_client_message message) {
    const Open* opened = find(message);
    errno = EBADF;
    if (opened == nullptr) return status(message, -1);
    status(message, change("/proc/self/fd/" + std::to_string(opened->fd), *message->attr));
  }

  // Version 3 of the protocol replaces nothing.
  static int rename_new(const std::string& from, sftp_client_message message) {
    const char* to = sftp_client_message_get_data(message);
    errno = EEXIST;
    if (::access(to, F_OK) == 0) return -1;
    return ::rename(from.c_str(), to);
  }

  static void real_path(sftp_client_message message, const std::string& path) {
    char found[PATH_MAX];
    if (::realpath(path.c_str(), found) == nullptr) return status(message, -1);
    sftp_reply_name(message, found, nullptr);
  }

  static void read_link(sftp_client_message message, const std::string& path) {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(path.c_str(), target, sizeof(target) - 1);
    if (size < 0) return status(message, -1);
    target[size] = '\0';
    sftp_reply_name(message, target, nullptr);
  }

  static void extended(sftp_client_message message, const std::string& path) {
    const std::string what = sftp_client_message_get_submessage(message);
    const char* other = sftp_client_message_get_data(message);
    if (what == "posix-rename@openssh.com") {
      status(message, ::rename(path.c_str(), other));
    } else if (what == "hardlink@openssh.com") {
      status(message, ::link(path.c_str(), other));
    } else {
      sftp_reply_status(message, SSH_FX_OP_UNSUPPORTED, "not supported");
    }
  }

  sftp_session sftp_;
  std::vector<std::unique_ptr<Open>> open_;
};

void answer_login(ssh_message message, ssh_key authorized) {
  const bool known =
      ssh_message_subtype(message) == SSH_AUTH_METHOD_PUBLICKEY &&
      ssh_key_cmp(ssh_message_auth_pubkey(message), authorized, SSH_KEY_CMP_PUBLIC) == 0;
  if (known && ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_NONE) {
    ssh_message_auth_reply_pk_ok_simple(message);
  } else if (known && ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_VALID) {
    ssh_message_auth_reply_success(message, 0);
  } else {
    ssh_message_auth_set_methods(message, SSH_AUTH_METHOD_PUBLICKEY);
    ssh_message_reply_default(message);
  }
}

// The channel on which the client has asked for SFTP; null: it has gone.
ssh_channel wait_for_sftp(ssh_session session, ssh_key authorized) {
  ssh_channel channel = nullptr;
  while (ssh_message message = ssh_message_get(session)) {
    bool ready = false;
    const int type = ssh_message_type(message);
    if (type == SSH_REQUEST_AUTH) {
      answer_login(message, authorized);
    } else if (type == SSH_REQUEST_CHANNEL_OPEN && channel == nullptr) {
      channel = ssh_message_channel_request_open_reply_accept(message);
    } else if (type == SSH_REQUEST_CHANNEL &&
               ssh_message_subtype(message) == SSH_CHANNEL_REQUEST_SUBSYSTEM &&
               std::strcmp(ssh_message_channel_request_subsystem(message), "sftp") == 0) {
      ssh_message_channel_request_reply_success(message);
      ready = true;
    } else {
      ssh_message_reply_default(message);
    }
    ssh_message_free(message);
    if (ready) return channel;
  }
  return nullptr;
}

void serve(ssh_session session, ssh_key authorized) {
  if (ssh_handle_key_exchange(session) != SSH_OK) return;
  ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY);
  ssh_channel channel = wait_for_sftp(session, authorized);
  if (channel == nullptr) return;
  sftp_session sftp = sftp_server_new(session, channel);
  if (sftp != nullptr && sftp_server_init(sftp) == 0) Server(sftp).serve();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) die("usage: libssh_server HOST_KEY AUTHORIZED_KEY");
  ::signal(SIGCHLD, SIG_IGN);
  ssh_key authorized = nullptr;
  if (ssh_pki_import_pubkey_file(argv[2], &authorized) != SSH_OK) die("no authorized key");
  ssh_bind bind = ssh_bind_new();
  const int any_port = 0;
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDPORT, &any_port);
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, argv[1]);
  if (ssh_bind_listen(bind) != SSH_OK) die(ssh_get_error(bind));
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(ssh_bind_get_fd(bind), reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  const pid_t parent = ::getpid();
  while (true) {
    ssh_session session = ssh_new();
    if (ssh_bind_accept(bind, session) != SSH_OK) die(ssh_get_error(bind));
    if (::fork() == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) serve(session, authorized);
      ::_exit(0);
    }
    ssh_free(session);
  }
}
