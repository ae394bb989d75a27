"""An SFTP server as people write them with Paramiko: paramiko_server.py HOST_KEY AUTHORIZED_KEYS;
prints its port."""
import base64
import os
import socket
import sys
import threading

import paramiko


class Door(paramiko.ServerInterface):
    def __init__(self, keys):
        self.keys = keys

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key.asbytes() in self.keys else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username):
        return "publickey"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED


def guarded(method):
    def call(*arguments):
        try:
            result = method(*arguments)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return paramiko.SFTP_OK if result is None else result
    return call


class Files(paramiko.SFTPServerInterface):
    @guarded
    def list_folder(self, path):
        found = []
        for name in os.listdir(path):
            attributes = paramiko.SFTPAttributes.from_stat(os.lstat(os.path.join(path, name)))
            attributes.filename = name
            found.append(attributes)
        return found

    @guarded
    def stat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.stat(path))

    @guarded
    def lstat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.lstat(path))

    @guarded
    def open(self, path, flags, attr):
        mode = 0o666 if attr.st_mode is None else attr.st_mode
        descriptor = os.open(path, flags, mode)
        writing = flags & (os.O_WRONLY | os.O_RDWR)
        handle = paramiko.SFTPHandle(flags)
        handle.readfile = handle.writefile = os.fdopen(descriptor, "rb+" if writing else "rb", 0)
        handle.stat = lambda: paramiko.SFTPAttributes.from_stat(os.fstat(descriptor))
        return handle

    @guarded
    def remove(self, path):
        os.remove(path)

    @guarded
    def rename(self, oldpath, newpath):
        if os.path.lexists(newpath):
            return paramiko.SFTP_FAILURE
        os.rename(oldpath, newpath)
        return None

    @guarded
    def mkdir(self, path, attr):
        os.mkdir(path)

    @guarded
    def rmdir(self, path):
        os.rmdir(path)

    @guarded
    def chattr(self, path, attr):
        paramiko.SFTPServer.set_file_attr(path, attr)


def serve(guest, host_key, keys):
    transport = paramiko.Transport(guest)
    transport.add_server_key(host_key)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    transport.start_server(server=Door(keys))
    transport.join()


def main(host_key_path, authorized_keys):
    host_key = paramiko.ECDSAKey.from_private_key_file(host_key_path)
    with open(authorized_keys, encoding="ascii") as lines:
        keys = {base64.b64decode(line.split()[1]) for line in lines}
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        guest, _ = listener.accept()
        threading.Thread(target=serve, args=(guest, host_key, keys), daemon=True).start()


main(sys.argv[1], sys.argv[2])
