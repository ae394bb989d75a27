# Completion of bash for sftpfs and sftpfsctl. Options come from `sftpfs -h`, so they are those of the
# programme that is installed.

# Hosts as ssh(1) knows them.
_sftpfs_hosts() {
  local files=(~/.ssh/config /etc/ssh/ssh_config) file
  for file in "${files[@]}"; do
    [[ -r $file ]] || continue
    awk 'tolower($1) == "host" { for (i = 2; i <= NF; i++) if ($i !~ /[*?!]/) print $i }' "$file"
  done
  if [[ -r ~/.ssh/known_hosts ]]; then
    awk '$1 !~ /^[|@#\[]/ { split($1, names, ","); for (i in names) print names[i] }' \
      ~/.ssh/known_hosts
  fi
}

_sftpfs_options() {
  sftpfs -h 2>/dev/null |
    awk '/^General:/ { options = 1 }
         options && /^  [^ ]/ && !/\[refused\]/ {
           name = $1; value = ""
           if (sub(/\[?=.*/, "", name)) value = "="
           if (name !~ /\*/) print name value
         }'
}

# Directories of a host whose path begins so: only through a connection that ssh(1) shares anyway
# (ControlMaster), which asks nothing and is there at once.
_sftpfs_remote() { # host beginning
  local quoted=\'${2//\'/\'\\\'\'}\'
  [[ $1 != -* ]] && ssh -O check "$1" 2>/dev/null &&
    timeout 5 ssh -o BatchMode=yes "$1" "ls -d -- $quoted*/" 2>/dev/null </dev/null
}

_sftpfs() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  # Colons and at signs part words for readline, not for people.
  local typed=${COMP_LINE:0:COMP_POINT}
  typed=${typed##*[[:space:]]}
  if [[ $typed == [!-/.]*:* && $previous != -* ]]; then
    local host=${typed%%:*} prefix=
    [[ $COMP_WORDBREAKS == *:* ]] || prefix=$host:
    mapfile -t COMPREPLY < <(_sftpfs_remote "$host" "${typed#*:}" | while IFS= read -r name; do
      printf '%s%q\n' "$prefix" "$name"
    done)
    compopt -o nospace
    return
  fi
  if [[ $previous == -o ]]; then
    local before=
    [[ $word != *,* ]] || before=${word%,*},
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$(_sftpfs_options)" -- "${word##*,}")
    compopt -o nospace
    return
  fi
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '-o -p -F -C -f -d -s -v -h -V --help --version' -- "$word")
    return
  fi
  if [[ $typed == *@* ]]; then
    mapfile -t COMPREPLY < <(compgen -S : -W "$(_sftpfs_hosts)" -- "${typed#*@}")
    [[ $COMP_WORDBREAKS == *@* ]] || COMPREPLY=("${COMPREPLY[@]/#/${typed%%@*}@}")
    compopt -o nospace
    return
  fi
  local place=0 i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -o | -p | -F) ((i++)) ;;
      -* | : | @) ;;
      *) place=$((place + 1)) ;;
    esac
  done
  if ((place == 0)); then
    mapfile -t COMPREPLY < <(compgen -S : -W "$(_sftpfs_hosts)" -- "$word")
    compopt -o nospace
  else
    mapfile -t COMPREPLY < <(compgen -d -- "$word")
    compopt -o filenames
  fi
}

_sftpfsctl() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W 'list status stats ops top flush reconnect drop-caches
      loglevel explain fstab --help --version' -- "$word")
    return
  fi
  local words=
  case $command in
    list | ops) words='--json' ;;
    stats) words='--json --prometheus' ;;
    flush) words='--progress' ;;
    top) words='-n -d' ;;
    fstab) words='-o --no-check' ;;
    loglevel) if ((COMP_CWORD == 2)); then words='trace debug info warning error off'; fi ;;
  esac
  if [[ $word == -* || $command == loglevel ]] && ((COMP_CWORD == 2 || ${#words})); then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [[ $command != list && $command != explain && $word != -* ]]; then
    mapfile -t COMPREPLY < <(
      compgen -W "$(awk '$3 == "fuse.sftpfs" { print $2 }' /proc/mounts)" -- "$word"
      compgen -d -- "$word"
    )
    compopt -o filenames
  fi
}

complete -F _sftpfs sftpfs
complete -F _sftpfsctl sftpfsctl
