// See connect.h.
#include "ssh/connect.h"

#include <fmt/core.h>

#include <utility>

#include "base/log.h"
#include "ssh/bare_sftp.h"
#include "ssh/child_password.h"
#include "ssh/libssh2_login.h"
#include "ssh/libssh2_stream.h"
#include "ssh/process_stream.h"
#include "ssh/resolve.h"
#include "ssh/ssh_command.h"

namespace sftpfs::ssh {
namespace {

using Stream = std::unique_ptr<runtime::ByteStream>;

Result<Stream> connect_child(const Options& given, const Login& login, Prompter* prompter) {
  const bool somebody = prompter != nullptr && prompter->available();
  Options options = given;
  Child::Setup setup;
  std::shared_ptr<ChildPassword> password;
  if (login.password() != nullptr && !options.own_program.empty()) {
    Result<std::shared_ptr<ChildPassword>> made = ChildPassword::create(options, *login.password());
    if (!made) return fail(made.error());
    password = std::move(*made);
    setup = password->setup(somebody);
    // It will not be a better one the second time.
    options.password_prompts = 1;
  }
  Result<std::vector<std::string>> argv =
      ssh_command_line(options, somebody || password != nullptr, *login.child_host_key());
  if (!argv) return fail(argv.error());
  const std::string peer =
      options.user.empty() ? options.host : fmt::format("{}@{}", options.user, options.host);
  const auto watch = [host_key = login.child_host_key(), password](std::string_view line,
                                                                   int answers) {
    return host_key->take_report(line) ||
           (password != nullptr && password->take_question(line, answers));
  };
  Result<std::unique_ptr<ProcessStream>> stream =
      ProcessStream::spawn(*argv, peer, "ssh", watch, setup);
  if (!stream) return fail(stream.error());
  return Stream(std::move(*stream));
}

Result<Stream> connect_libssh2(const Options& options, Login& login, Prompter* prompter,
                               const Interrupt* interrupt) {
  Result<Target> target = resolve(options);
  if (!target) return fail(target.error());
  Patience patience(target->connect_timeout, interrupt);
  Result<std::unique_ptr<Libssh2Session>> session = log_in({*target, login, prompter, patience});
  if (!session) return fail(session.error());
  if (Status opened = (*session)->open_channel(target->sftp_server, patience); !opened) {
    return fail(opened.error());
  }
  LIBSSH2_CHANNEL* channel = (*session)->channel();
  auto connection = std::make_shared<Libssh2Connection>(std::move(*session), target->sftp_server);
  return Stream(std::make_unique<Libssh2Stream>(std::move(connection), channel));
}

}  // namespace

Result<Stream> connect(const Options& options, Login& login, Prompter* prompter,
                       const Interrupt* interrupt) {
  if (options.bare) return connect_bare(options, login, interrupt);
  if (uses_child(options, login)) return connect_child(options, login, prompter);
  Result<Stream> stream = connect_libssh2(options, login, prompter, interrupt);
  // Only the server can tell that it has nothing in common with libssh2.
  const bool other_transport = !stream && options.transport == Transport::kAuto &&
                               stream.error().is(ErrorCode::kUnsupported) &&
                               login.pinned_host_key().empty();
  if (!other_transport) return stream;
  log_info("transport=ssh, because libssh2 cannot: {}", stream.error().describe());
  login.set_needs_child();
  return connect_child(options, login, prompter);
}

bool uses_child(const Options& options, const Login& login) {
  if (options.bare) return false;
  return options.transport == Transport::kSsh || login.needs_child();
}

}  // namespace sftpfs::ssh
