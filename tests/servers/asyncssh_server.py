"""AsyncSSH's SFTP server: asyncssh_server.py HOST_KEY AUTHORIZED_KEYS; prints its port."""
import asyncio
import sys

import asyncssh


async def main(host_key, authorized_keys):
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host_key],
        authorized_client_keys=authorized_keys, sftp_factory=True)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2]))
