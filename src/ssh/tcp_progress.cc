// tcp_bytes_acknowledged(): see tcp.h. In a file of its own because <linux/tcp.h>, which knows this
// counter, cannot be included beside <netinet/tcp.h>.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

#include "ssh/tcp.h"

namespace sftpfs::ssh {

std::uint64_t tcp_bytes_acknowledged(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  constexpr std::size_t kEnd = offsetof(tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked);
  return size < kEnd ? 0 : info.tcpi_bytes_acked;
}

}  // namespace sftpfs::ssh
