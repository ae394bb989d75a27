# Completion of fish for sftpfs and sftpfsctl.

function __sftpfs_words
    sftpfs -h 2>/dev/null | awk '/^General:/ { options = 1 }
      options && /^  [^ ]/ && !/\[refused\]/ {
        name = $1; value = ""; if (sub(/\[?=.*/, "", name)) value = "="
        if (name !~ /\*/) print name value }'
end

function __sftpfs_mounts
    awk '$3 == "fuse.sftpfs" { print $2 }' /proc/mounts
end

# Hosts; and of a host its directories, but only through a connection that ssh(1) shares anyway
# (ControlMaster), which asks nothing and is there at once.
function __sftpfs_sources
    set -l typed (commandline -ct)
    if not string match -q '*:*' -- $typed
        string match -r '^[^@]*@' -- $typed | read -l user
        for host in (__fish_print_hostnames)
            echo $user$host:
        end
        return
    end
    set -l parts (string split -m 1 : -- $typed)
    set -l quoted (string replace -a "'" "'\\''" -- $parts[2])
    if not string match -q -- '-*' $parts[1]; and ssh -O check $parts[1] 2>/dev/null
        timeout 5 ssh -o BatchMode=yes $parts[1] "ls -d -- '$quoted'*/" 2>/dev/null </dev/null |
            string replace -r '^' $parts[1]:
    end
end

complete -c sftpfs -s o -x -a '(__fish_append , (__sftpfs_words))' -d Options
complete -c sftpfs -s p -x -d Port
complete -c sftpfs -s F -r -d ssh_config
complete -c sftpfs -s C -d Compress
complete -c sftpfs -s f -d 'Stay in the foreground'
complete -c sftpfs -s d -d 'Log what happens'
complete -c sftpfs -s s -d 'One thread'
complete -c sftpfs -s v -d 'Say more'
complete -c sftpfs -s h -l help -d Help
complete -c sftpfs -s V -l version -d Version
complete -c sftpfs -n 'test (count (commandline -opc)) -eq 1' -a '(__sftpfs_sources)'

set -l commands list status stats ops top flush reconnect drop-caches loglevel explain fstab
complete -c sftpfsctl -f -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c sftpfsctl -n "__fish_seen_subcommand_from $commands" -a '(__sftpfs_mounts)'
complete -c sftpfsctl -n '__fish_seen_subcommand_from list stats ops' -l json -d 'As JSON'
complete -c sftpfsctl -n '__fish_seen_subcommand_from stats' -l prometheus -d 'For Prometheus'
complete -c sftpfsctl -n '__fish_seen_subcommand_from flush' -l progress -d 'How much is left'
complete -c sftpfsctl -n '__fish_seen_subcommand_from fstab' -l no-check -d 'Do not connect'
