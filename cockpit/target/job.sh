# The job protocol: a command that runs at most once and outlives the link. POSIX sh, no agent.
#
# Sent on stdin to `/bin/sh -s`, after a line CK_N=<nonce> and before one line that calls a
# function below. Every call ends in =END=, so an upload cut short by a dying link is a syntax error
# or a refused call, never half a command.
#
#   root/                 private, 0700, chosen by ck_hello; the client journals it with the job
#     jobs/mark -> nonce  the identity of what is here: another mark, or none, means that claims were
#                         deleted; beside them, so that who clears them away takes it along
#     jobs/<id>/
#       claim -> pid:start:boot:nonce     made by the detached supervisor: the one launch
#             -> tombstone:nonce          made by ck_stop first: this id will never run
#       pid -> pid:start                  the command (leader of its own session)
#       s.<nonce>                         the script, until the command has read it
#       out                               stdout and stderr; the client asks by byte offset
#       pending.<nonce>, then exit.<status>.<ended>, then done.<status>.<ended>
#                                         ended: <seconds since 1970>.<began>-<over>, both on the
#                                         clock that nobody sets (seconds since the boot)
#       cancel -> user | timeout          why it was signalled
#       asked, killed                     by ck_stop: TERM was sent, KILL was sent
#       trunc                             output beyond the cap or the disk was thrown away
#       state, kept                       what it left for the next command; see session.sh
#     swept.<boot>/<id>   this job was removed: an order for it that comes late is not run
#
# State is in names (symlink, rename): atomic, and it works on a full disk.
# Control lines are `@ck <nonce> key=value ...`: login shells and banners may print around them.

ck_say() { printf '@ck %s %s\n' "$CK_N" "$*" >&2; }
ck_die() { ck_say "error=$1"; exit "$2"; }
ck_nap() { sleep "$1" 2>/dev/null || sleep 1; }   # not every sleep takes fractions

ck_proc() { # pid -> CK_ST start time (a pid's identity), CK_PG group, CK_SID session; false when
  # gone or a zombie
  CK_ST= CK_PG= CK_SID=
  [ "$1" ] || return 1      # /proc//stat is a file, and of another kind
  if [ -r /proc/self/stat ]; then
    ck_l=; { IFS= read -r ck_l < "/proc/$1/stat"; } 2>/dev/null || return 1
    ck_l=${ck_l##*) }
    set -- $ck_l
    case $1 in Z|X) return 1;; esac
    CK_PG=$3 CK_SID=$4; shift 19; CK_ST=$1
  else
    CK_ST=$(ps -o lstart= -p "$1" 2>/dev/null | tr -d ' :')
    # Where nothing tells of processes, as in a chroot without /proc: is there one of that number.
    [ -n "$CK_ST" ] || { kill -0 "$1" 2>/dev/null; return; }
    CK_PG=$(ps -o pgid= -p "$1" 2>/dev/null | tr -d ' ')
  fi
}

ck_boot() { # -> CK_BOOT: kernel boot id and start of pid 1 (a container restarts without a boot)
  CK_BOOT=
  { read -r CK_BOOT < /proc/sys/kernel/random/boot_id; } 2>/dev/null ||
    CK_BOOT=$(sysctl -n kern.boottime 2>/dev/null | tr -cd 0-9)
  ck_proc 1
  CK_BOOT=${CK_BOOT:-none}.${CK_ST:-0}
}

ck_link() { # path -> CK_L: what a symlink says; readlink is not everywhere
  CK_L=
  [ -L "$1" ] || return 1     # costs no fork
  CK_L=$(readlink "$1" 2>/dev/null) || { CK_L=$(ls -l "$1") && CK_L=${CK_L##* -> }; }
}

ck_up() { # -> CK_UP: seconds since the boot; setting the clock does not change it
  CK_UP=
  { read -r CK_UP ck_l < /proc/uptime; } 2>/dev/null || CK_UP=$(date +%s)
}

ck_try() { # dir -> may it be the root: ours, private, writable, with symlinks
  case $1 in /*) ;; *) return 1;; esac
  ( umask 077; mkdir -p "$1" ) 2>/dev/null
  [ -d "$1" ] && [ ! -L "$1" ] || return 1
  ck_d=$1
  set -- $(ls -ldn "$1" 2>/dev/null)
  [ "$3" = "$CK_UID" ] || return 1
  case $1 in d???------*) ;; *) chmod 700 "$ck_d" 2>/dev/null || return 1;; esac
  # A real write, not df: it sees read-only mounts, quotas and full disks.
  ck_w=$(dd if=/dev/zero bs=1024 count=64 2>/dev/null > "$ck_d/.w.$$" && wc -c < "$ck_d/.w.$$")
  rm -f "$ck_d/.w.$$"
  [ "$((ck_w))" -eq 65536 ] 2>/dev/null || return 1
  rm -f "$ck_d/.l.$$"; ln -s t "$ck_d/.l.$$" 2>/dev/null && rm -f "$ck_d/.l.$$"
}

ck_hello() { # root-so-far|'' =END= : choose the root, say what the host has
  [ "$2" = "=END=" ] || ck_die short 65
  CK_UID=$(id -u)
  # Never $XDG_RUNTIME_DIR: logind removes it when the link drops.
  ck_h=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
  for ck_r in "$1" "${ck_h:+$ck_h/cockpit}" "/var/tmp/cockpit-$CK_UID" \
              "/tmp/cockpit-$CK_UID" "/dev/shm/cockpit-$CK_UID"; do
    ck_try "$ck_r" && break
    ck_r=
  done
  [ -n "$ck_r" ] || ck_die noroot 73
  ( umask 077; mkdir -p "$ck_r/jobs"; ln -s "$CK_N" "$ck_r/jobs/mark" ) 2>/dev/null
  ck_link "$ck_r/jobs/mark"; ck_boot
  ck_i=sh; command -v bash >/dev/null 2>&1 && ck_i=bash
  ck_k=$(sed -n 's/^ *KillUserProcesses *= *//p' /etc/systemd/logind.conf 2>/dev/null | tail -n 1)
  # Nobody waits for it, and it goes on where this shell is closed, as it is after the answer.
  ( ck_sweep "$ck_r" ) </dev/null >/dev/null 2>&1 &
  ck_say "hello=1 uid=$CK_UID boot=$CK_BOOT mark=$CK_L interp=$ck_i kill=${ck_k:-no}" \
    "now=$(date +%s) root=$ck_r"
}

ck_sweep() { # root : remove what is over for seven days, at most a hundred at a time
  # What commands left for one another holds values of variables: it goes after three.
  find "$1/jobs" -name state -type f -mtime +3 -exec rm -f {} \;
  ck_boot; ck_up; ck_n=0
  # A directory changes for the last time when its job ends.
  find "$1/jobs" ! -name jobs -prune -type d -mtime +6 | while [ $ck_n -lt 100 ] && IFS= read -r ck_d; do
    ck_state "$ck_d"
    case $CK_S in
      done|lost|rebooted|prepared|abandoned|swept) ;;
      exit) ck_watched "$ck_d" && continue;;     # something it left behind still writes
      *) continue;;
    esac
    # Where the clock was set it looks older than it is. The other clock knows, within one boot.
    ck_link "$ck_d/claim"
    case $CK_L,$CK_END in *":$CK_BOOT:"*,*-*)
      ck_e=${CK_END##*-}
      [ $((${CK_UP%.*} - ${ck_e%.*})) -ge 604800 ] || continue;; esac
    # First the note that it was here, then what was: nothing in between says that it never ran.
    ( umask 077; mkdir -p "$1/swept.$CK_BOOT"; : > "$1/swept.$CK_BOOT/${ck_d##*/}" ) || break
    rm -rf "$ck_d"
    ck_n=$((ck_n+1))
  done
  # An order holds for one boot: notes of another one are of no use.
  for ck_d in "$1"/swept.*; do
    [ "$ck_d" = "$1/swept.$CK_BOOT" ] || [ ! -d "$ck_d" ] || rm -rf "$ck_d"
  done
}

ck_watched() { # job dir -> does its supervisor live
  ck_link "$1/claim" || return 1
  ck_o=$IFS; IFS=:; set -- $CK_L; IFS=$ck_o       # pid start boot nonce
  ck_proc "$1" && [ "$CK_ST" = "$2" ]
}

ck_result() { # job dir -> is an exit status recorded
  for ck_f in "$1"/done.* "$1"/exit.*; do
    [ -f "$ck_f" ] || continue
    ck_f=${ck_f##*/}; CK_S=${ck_f%%.*}; ck_f=${ck_f#*.}; CK_RC=${ck_f%%.*}; CK_END=${ck_f#*.}
    return 0
  done
  return 1
}

ck_state() { # job dir -> CK_S, CK_RC, CK_END, CK_BOOT; no side effects
  CK_S=swept CK_RC= CK_END=
  ck_boot
  [ ! -e "${1%/jobs/*}/swept.$CK_BOOT/${1##*/}" ] || return 0
  CK_S=absent
  [ -d "$1" ] || return 0
  CK_S=prepared
  [ -L "$1/claim" ] || return 0
  ck_result "$1" && return 0
  ck_link "$1/claim"
  case $CK_L in tombstone:*) CK_S=abandoned; return 0;; esac
  ck_o=$IFS; IFS=:; set -- "$1" $CK_L; IFS=$ck_o       # dir pid start boot nonce
  if [ "$4" != "$CK_BOOT" ]; then CK_S=rebooted; return 0; fi
  if ck_proc "$2" && [ "$CK_ST" = "$3" ]; then CK_S=running; return 0; fi
  ck_result "$1" && return 0     # it may have ended after the first look
  CK_S=lost
  if [ -L "$1/pid" ]; then
    ck_link "$1/pid"
    # The command lives; half of the supervisor may, and then records its exit all the same.
    ck_proc "${CK_L%%:*}" && [ "$CK_ST" = "${CK_L#*:}" ] && CK_S=orphan
  fi
}

ck_report() { # root id
  ck_d=$1/jobs/$2
  ck_state "$ck_d"
  ck_z=0; [ -s "$ck_d/out" ] && ck_z=$(( $(wc -c < "$ck_d/out") ))
  ck_t=; [ -L "$ck_d/trunc" ] && ck_t=1
  ck_k=
  if [ -L "$ck_d/kept" ]; then ck_link "$ck_d/kept"; ck_k="lost=$CK_L"
  elif [ -f "$ck_d/kept" ]; then ck_k=$(tr '\n' '?' < "$ck_d/kept"); fi
  ck_link "$ck_d/cancel"; ck_c=$CK_L
  CK_L=; [ "$CK_S" = done ] || ck_link "$1/jobs/mark"      # who has the record needs no mark
  ck_say "state=$CK_S rc=$CK_RC end=$CK_END size=$ck_z trunc=$ck_t cancel=$ck_c boot=$CK_BOOT mark=$CK_L $ck_k"
}

ck_sum() { # file sha256 cksum-and-length -> does the file match, by the best tool there is
  if command -v sha256sum >/dev/null 2>&1; then set -- "$2" $(sha256sum < "$1"); [ "$1" = "$2" ]
  elif command -v shasum >/dev/null 2>&1; then set -- "$2" $(shasum -a 256 < "$1"); [ "$1" = "$2" ]
  elif command -v cksum >/dev/null 2>&1; then [ "$(cksum < "$1")" = "$3" ]
  else [ "$(( $(wc -c < "$1") ))" = "${3#* }" ]; fi
}

ck_start() { # root id mark boot sha256:cksum limit_kib timeout_s interp =END= ; the script on stdin
  [ "$9" = "=END=" ] || ck_die short 65
  case $2 in *[!A-Za-z0-9_-]*|'') ck_die badid 65;; esac
  ck_d=$1/jobs/$2
  [ -L "$ck_d/claim" ] && return 0
  # An order holds for one boot and one root: elsewhere an earlier claim may have been wiped.
  ck_boot; [ "$CK_BOOT" = "$4" ] || ck_die otherboot 75
  ck_link "$1/jobs/mark"; [ "$CK_L" = "$3" ] || ck_die othermark 75
  ck_u=$(umask); umask 077
  mkdir "$ck_d" 2>/dev/null
  [ -d "$ck_d" ] && [ ! -L "$ck_d" ] || ck_die nodir 73
  # After mkdir: what was swept meanwhile has its note by then.
  [ ! -e "$1/swept.$CK_BOOT/$2" ] || { rmdir "$ck_d"; umask "$ck_u"; return 0; } 2>/dev/null
  cat > "$ck_d/s.$CK_N" || { rm -f "$ck_d/s.$CK_N"; ck_die write 74; }
  ck_sum "$ck_d/s.$CK_N" "${5%%:*}" "${5#*:}" || { rm -f "$ck_d/s.$CK_N"; ck_die cut 65; }
  ck_ss=; command -v setsid >/dev/null 2>&1 && ck_ss=setsid
  # Detach without `&`: POSIX has an asynchronous list ignore SIGINT and SIGQUIT, and the command
  # would inherit that for good. A pipeline does not; its second half kills the shell that waits.
  # The substitution ends when the supervisor lets go of fd 3: it has the claim, or never will.
  { ck_l=$(
    CK_SUP=$CK_SUP; export CK_SUP
    exec sh -c '
      { $1 sh -c "ck=\$CK_SUP; unset CK_SUP; eval \"\$ck\"" "$@" </dev/null >/dev/null |
        kill -9 $$; } 2>/dev/null' \
      ck "$ck_ss" "$ck_d" "$CK_N" "$ck_u" "$6" "$7" "$8" "$CK_BOOT" "$CK_RUN" \
      3>&1 </dev/null >/dev/null 2>&1
  ); } 2>/dev/null
  umask "$ck_u"
  [ -L "$ck_d/claim" ] || { rm -f "$ck_d/s.$CK_N" "$ck_d/pending.$CK_N"; ck_die noclaim 75; }
}

# The supervisor of one job: setsid dir nonce umask limit_kib timeout interp boot command
# In the environment and not in a file: there is nothing to write and to remove. It holds no single
# quote, but that in the end.
CK_SUP='
ss=$0 d=$1 n=$2 um=$3 lim=$4 tmo=$5 it=$6 boot=$7 run=$8
cd "$d" || exit 1
trap : HUP INT TERM QUIT
umask 077
up() { { read -r up l < /proc/uptime; } 2>/dev/null || up=$(date +%s); }
l=; { IFS= read -r l < "/proc/$$/stat"; } 2>/dev/null && { l=${l##*) }; set -- $l; shift 19; st=$1; } ||
  st=$(ps -o lstart= -p $$ 2>/dev/null | tr -d " :")
up; began=$up
: >> out && : >> "pending.$n" || exit 1
ln -s "$$:$st:$boot:$n" claim 2>/dev/null || { rm -f "pending.$n" "s.$n"; exit 0; }
exec 3>&-
sig() {
  p=$(readlink pid) || { p=$(ls -l pid); p=${p##* -> }; }
  p=${p%%:*}; [ -n "$p" ] || return
  if [ -n "$ss" ]; then kill "-$1" "-$p"
  else for p in $(grep -ls "COCKPIT_JOB=${d##*/}" /proc/[0-9]*/environ) /proc/$p/; do
    p=${p#/proc/}; kill "-$1" "${p%%/*}"; done; fi
}
# Others of its group may live on without the command itself.
gone() { if [ -n "$ss" ]; then ! sig 0; else [ ! -f "pending.$n" ]; fi; }
if [ "$tmo" -gt 0 ]; then
  ( trap - HUP INT TERM QUIT; i=0
    # On a host under load the command follows its claim by seconds.
    while [ $i -lt "$tmo" ] || [ ! -L pid ]; do
      sleep 1; i=$((i+1)); [ -f "pending.$n" ] || exit 0; done
    ln -s timeout cancel 2>/dev/null
    sig TERM
    i=0; while [ $i -lt 10 ]; do sleep 1; i=$((i+1)); gone && exit 0; done
    sig KILL ) </dev/null >/dev/null 2>&1 &
fi
{
  # ( exec ... ): dash applies the redirections of a simple command to itself while it waits, and
  # would print "Terminated" into the output of the job.
  ( exec $ss sh -c "$run" ck "$um" "s.$n" "$it" "$d" 2>&1 </dev/null )
  rc=$?
  exec >/dev/null     # the other half sees the end now, not after what follows
  up
  mv "pending.$n" "exit.$rc.$(date +%s).$began-$up"
} | {
  # A pipe, not a file, and read on to the end: a full disk or the cap must never reach the command
  # as ENOSPC or SIGPIPE.
  ( trap "" XFSZ; ulimit -f "$((lim*2))" 2>/dev/null; exec cat >> out ) || { ln -s 1 trunc; cat > /dev/null; }
}
for f in exit.*; do mv "$f" "done.${f#exit.}"; done
'

# The command of a job: umask script interp dir
# eval of the file: errors then say "cockpit: line 1", and `pkill -f` does not find itself in ps.
CK_RUN='
u=$1 s=$2 it=$3 d=$4
st=; { IFS= read -r l < "/proc/$$/stat"; } 2>/dev/null && { l=${l##*) }; set -- $l; shift 19; st=$1; }
ln -s "$$:$st" "$d/pid" || exit 126
umask "$u"; cd "${HOME:-/}" 2>/dev/null || cd /
COCKPIT_JOB=${d##*/}; export COCKPIT_JOB
exec $it -c "CK=\$(cat \"\$1\"; rm -f \"\$1\"); shift; eval \"\$CK\"" cockpit "$d/$s"
'

ck_tail() { # root id offset lease_s =END= : stdout is a sentinel line, then bytes from the offset
  [ "$5" = "=END=" ] || ck_die short 65
  ck_d=$1/jobs/$2
  ck_link "$ck_d/claim"
  # The claim is told on stdout, so that it is known before the first byte of output.
  printf '@ck %s data %s\n' "$CK_N" "$CK_L"
  ck_z=0; [ "$3" -gt 0 ] && [ -s "$ck_d/out" ] && ck_z=$(( $(wc -c < "$ck_d/out") ))
  # Shorter than what was already read: a crash took it. The report says the rest.
  if [ ! -f "$ck_d/out" ] || [ "$ck_z" -lt "$3" ]; then ck_report "$1" "$2"; return 0; fi
  exec 3< "$ck_d/out"
  [ "$3" -eq 0 ] || dd bs=1 skip="$3" count=0 <&3 2>/dev/null >/dev/null    # a seek
  ck_r=$1 ck_id=$2 ck_lease=$4 ck_ms=0 ck_look=300 ck_g= ck_fin=
  while :; do
    set -- "$ck_d"/done.*; [ -f "$1" ] && ck_fin=1
    if [ -z "$ck_fin" ] && [ $ck_ms -ge $ck_look ]; then     # liveness costs a fork: now and then
      ck_look=$((ck_ms+1000))
      ck_state "$ck_d"; case $CK_S in done|lost|rebooted|abandoned|swept) ck_fin=1;; esac
    fi
    # Ended, but the pipe is open: its last output is on the way, or something it left in the
    # background holds it. Long enough for a host under load, and no longer.
    set -- "$ck_d"/exit.*
    if [ -f "$1" ]; then
      [ -n "$ck_g" ] || ck_g=$ck_ms
      [ $((ck_ms-ck_g)) -ge 1500 ] && ck_fin=1
    fi
    if [ -s "$ck_d/out" ]; then cat <&3 || return 1; fi
    [ -n "$ck_fin" ] && break
    [ $ck_ms -ge "${ck_lease}000" ] && break
    # Most commands are over in no time: look often at first.
    if [ $ck_ms -lt 60 ]; then ck_w=0.004 ck_ms=$((ck_ms+6))
    elif [ $ck_ms -lt 200 ]; then ck_w=0.01 ck_ms=$((ck_ms+12))
    elif [ $ck_ms -lt 30000 ]; then ck_w=0.04 ck_ms=$((ck_ms+42))
    else ck_w=0.1 ck_ms=$((ck_ms+102)); fi
    sleep $ck_w 2>/dev/null || { sleep 1; ck_ms=$((ck_ms+960)); }
  done
  exec 3<&-
  ck_report "$ck_r" "$ck_id"
}

ck_stat() { # root id =END=
  [ "$3" = "=END=" ] || ck_die short 65
  ck_report "$1" "$2"
}

ck_left() { # id pid -> CK_LEFT: live pids of the job: they carry its cookie in their environment,
  # or are in the session of its command. Another user's (sudo) shows its session alone.
  CK_LEFT=
  ck_sid=
  if command -v setsid >/dev/null 2>&1; then
    # With another start time the number was given out anew: nobody of that session is left.
    ck_proc "$2" && [ "$CK_ST" != "$ck_pst" ] || ck_sid=$2
  fi
  ck_c=" $(grep -ls "COCKPIT_JOB=$1" /proc/[0-9]*/environ 2>/dev/null | tr '\n' ' ')"
  for ck_f in /proc/[0-9]*; do
    ck_f=${ck_f#/proc/}
    ck_proc "$ck_f" || continue
    case $CK_SID,$ck_c in "$ck_sid",*|*" /proc/$ck_f/environ "*) CK_LEFT="${CK_LEFT:+$CK_LEFT }$ck_f";; esac
  done
}

ck_group() { # signal id pid -> CK_IN: how many of the job's group lived; each is signalled (0: only
  # counted); CK_NO: one that may not be
  CK_IN=0
  [ "$1" = 0 ] || CK_NO=
  ck_left "$2" "$3"
  for ck_q in $CK_LEFT; do
    # Without setsid(1) there is no group of its own: the cookie alone says whose it is.
    ck_proc "$ck_q" || continue
    [ "$CK_PG" = "$3" ] || [ -z "$ck_sid" ] || continue
    CK_IN=$((CK_IN+1))
    [ "$1" = 0 ] || kill "-$1" "$ck_q" 2>/dev/null || { ck_proc "$ck_q" && CK_NO=1; }
  done
}

ck_grouped() { # id pid -> does any of the job's group live; in no time where it is a group of its own
  if command -v setsid >/dev/null 2>&1; then kill -0 "-$2" 2>/dev/null
  else ck_group 0 "$1" "$2"; [ $CK_IN -gt 0 ]; fi
}

ck_bury() { # root id mark boot : whoever has the claim has the say; taken here, the id never runs
  ck_d=$1/jobs/$2
  ck_boot; ck_link "$1/jobs/mark"
  [ "$CK_BOOT" = "$4" ] && [ "$CK_L" = "$3" ] || return 0
  ( umask 077; mkdir "$ck_d"; ln -s "tombstone:$CK_N" "$ck_d/claim" ) 2>/dev/null
  return 0
}

ck_settle() { # root id mark boot =END= : see to it that an id without a claim never runs
  [ "$5" = "=END=" ] || ck_die short 65
  ck_bury "$1" "$2" "$3" "$4"
}

ck_stop() { # root id mark boot grace_s =END=
  [ "$6" = "=END=" ] || ck_die short 65
  ck_d=$1/jobs/$2
  ck_bury "$1" "$2" "$3" "$4"
  ck_state "$ck_d"
  ck_link "$ck_d/pid"; ck_p=${CK_L%%:*} ck_pst=${CK_L#*:}
  case $CK_S in running|orphan) ;; *)
    # What an earlier stop did, whose answer was lost, is told again; one that was cut off, and has
    # left some of the group alive, goes on.
    ck_how=over ck_o= CK_IN=0
    if [ -L "$ck_d/asked" ]; then
      ck_how=gently; [ -L "$ck_d/killed" ] && ck_how=killed
      ck_group 0 "$2" "$ck_p"; ck_tell
    fi
    if [ $CK_IN -eq 0 ]; then
      ck_say "how=$ck_how left=$ck_o"; ck_report "$1" "$2"; return 0
    fi;;
  esac
  # A child of its own: it goes on where this shell is closed, as when cockpit is left meanwhile.
  ck_end "$1" "$2" "$5" & wait $!
}

ck_end() { # root id grace_s, and what ck_stop knows : asks it to end, waits, then kills it
  ln -s user "$ck_d/cancel" 2>/dev/null
  ck_i=0
  # On a host under load the command follows its claim by seconds.
  while [ ! -L "$ck_d/pid" ] && [ $ck_i -lt 300 ]; do
    ck_result "$ck_d" && break
    ck_i=$((ck_i+1)); ck_nap 0.05
  done
  ck_link "$ck_d/pid"; ck_p=${CK_L%%:*} ck_pst=${CK_L#*:}
  # Once, however often it is asked for: to some programs a second TERM says "at once".
  if [ ! -L "$ck_d/asked" ]; then
    # The group at once when its leader is still the same process, else one by one.
    ck_proc "$ck_p" && [ "$CK_ST" = "$ck_pst" ] && kill -TERM "-$ck_p" 2>/dev/null ||
      ck_group TERM "$2" "$ck_p"
    ln -s TERM "$ck_d/asked" 2>/dev/null
  fi
  ck_i=0
  while [ $ck_i -lt $(($3*10)) ]; do
    ck_state "$ck_d"
    case $CK_S in running|orphan) ;; *) ck_grouped "$2" "$ck_p" || break;; esac
    ck_i=$((ck_i+1)); sleep 0.1 2>/dev/null || { sleep 1; ck_i=$((ck_i+9)); }
  done
  ck_group 0 "$2" "$ck_p"
  # Where no list of processes can be had, the command itself can be asked for all the same.
  [ $CK_IN -gt 0 ] || { ck_proc "$ck_p" && [ "$CK_ST" = "$ck_pst" ] && CK_IN=1; }
  ck_how=gently; [ -L "$ck_d/killed" ] && ck_how=killed
  if [ $CK_IN -gt 0 ]; then
    ck_how=killed
    ln -s KILL "$ck_d/killed" 2>/dev/null
    [ -z "$ck_sid" ] || kill -KILL "-$ck_p" 2>/dev/null
    ck_group KILL "$2" "$ck_p"
    # Until its end is on record, and what it started meanwhile is gone too. Under load what was
    # killed lives on for a while; what may not be is not waited for.
    ck_i=0
    while [ $ck_i -lt 20 ] || { [ -z "$CK_NO" ] && [ $ck_i -lt 200 ]; }; do
      ck_state "$ck_d"
      case $CK_S in running|orphan) ;; *)
        ck_grouped "$2" "$ck_p" || break
        ck_group KILL "$2" "$ck_p";;
      esac
      ck_i=$((ck_i+1)); ck_nap 0.05
    done
    ck_group 0 "$2" "$ck_p"
    # Another user's, such as what sudo started: we may not end it.
    [ $CK_IN -eq 0 ] || ck_how=alive
  fi
  ck_tell
  ck_say "how=$ck_how left=$ck_o"
  ck_report "$1" "$2"
}

ck_tell() { # CK_LEFT -> ck_o, with commas
  ck_o=; for ck_q in $CK_LEFT; do ck_o=${ck_o:+$ck_o,}$ck_q; done
}
