// Fuzzes what an ssh-agent may answer: the first byte chooses the question, the rest is everything
// the agent says before it hangs up.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "fuzz/fuzz_input.h"
#include "ssh/agent.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

using fuzz::require;

void fuzz_agent(fuzz::FuzzInput input) {
  const std::uint8_t question = input.byte();
  const std::string_view answer = input.rest();
  int ends[2] = {-1, -1};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  Agent agent{UniqueFd(ends[0])};
  const UniqueFd far_end(ends[1]);
  if (!answer.empty()) (void)!::write(far_end.get(), answer.data(), answer.size());
  // Only the answers end; what is asked must still find a reader.
  require(::shutdown(far_end.get(), SHUT_WR) == 0);
  const Patience patience(std::chrono::seconds(5), nullptr);
  if (question % 2 == 0) {
    const Result<std::vector<AgentKey>> keys = agent.list(patience);
    if (!keys) {
      require(fuzz::is_one_line(keys.error().message()));
      return;
    }
    for (const AgentKey& key : *keys) (void)describe_key(key.blob);
  } else {
    const Result<std::string> signature = agent.sign("blob", "rsa-sha2-512", "data", patience);
    if (signature) {
      require(signature->size() < answer.size());
    } else {
      (void)signature.error().describe();
    }
  }
}

}  // namespace
}  // namespace sftpfs::ssh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sftpfs::ssh::fuzz_agent({data, size});
  return 0;
}
