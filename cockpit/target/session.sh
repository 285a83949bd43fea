# What a command finds of the one before it in its runbook, and leaves for the next. POSIX sh.
#
# It stands before the command, as one line: the client drops the comments and joins the lines with
# blanks, hence a statement ends in `;` and no comment stands behind one. Of the three parts it takes
# the second where there is something to find, the others where something is left. Given:
#   CK_I   the file in which an earlier command left its state, or empty: a fresh start
#   CK_O   the directory of this job
#   CK_W   names of the variables that the command sets
# Made, in CK_O, private:
#   state  a script that brings all back; its last word is CK_K=1, once in the directory
#   kept   for the client: names of variables that hold something, and the directory; as a symlink,
#          why there is nothing (which works on a full disk)
#
# What carries over: the directory; exported variables that are not as a fresh shell has them
# (CK_0_<name> is how it has them); other variables that a command of the session has set.

# -- 1: how to leave something

# -> CK_N: the names of all exported variables. Part of a value may pass for a name; it does no harm.
ck_names() {
  ck_d=$IFS; set -f; IFS=$CK_L; CK_N=;
  for ck_l in $(export -p); do
    case $ck_l in export\ *|declare\ -*|typeset\ -*) ;; *) continue;; esac;
    ck_l=${ck_l%%=*}; ck_l=${ck_l##* };
    case $ck_l in ''|[0-9]*|*[!A-Za-z0-9_]*) ;; *) CK_N="$CK_N $ck_l";; esac;
  done;
  IFS=$ck_d; set +f;
};

ck_is() { eval "[ \"\${$1+1}\" ]"; };

ck_plain() {
  IFS=$CK_F;
  for ck_l; do
    case "$CK_N $CK_D " in *" $ck_l "*) continue;; esac;
    CK_D="$CK_D $ck_l";
    if [ "${BASH_VERSION-}" ]; then
      declare -p "$ck_l" || continue;
      eval "[ \"\${$ck_l[*]-}\" ]" || continue;
    else
      ck_is "$ck_l" || continue;
      printf "%s='" "$ck_l" || return 1;
      eval "printf '%s\n' \"\$$ck_l\"" | LC_ALL=C sed "s/'/'\\\\''/g;\$s/\$/'/" || return 1;
      eval "[ \"\$$ck_l\" ]" || continue;
    fi;
    CK_T=$CK_T,$ck_l;
  done;
};

# In a shell of its own. A value beyond 128 KiB keeps every program from being started while it is
# exported, so nothing is started before all are unset.
ck_write() {
  CK_CD=$(pwd && echo x) || return 1;
  CK_CD=${CK_CD%??}; export CK_CD;
  ck_names; CK_T= CK_D=;
  for ck_l in $CK_N; do
    case $ck_l in
      CK_CD|OLDPWD) ;;
      PWD|_|SHLVL|COCKPIT_JOB|CK_*|ck_*) command unset "$ck_l";;
      *) if ck_is "CK_0_$ck_l" && eval "[ \"\$CK_0_$ck_l\" = \"\$$ck_l\" ]";
         then command unset "$ck_l";
         elif [ "$(export -p)" != "$(command unset "$ck_l" && export -p)" ];
         then eval "[ -z \"\$$ck_l\" ]" || CK_T=$CK_T,$ck_l; fi;;
    esac;
  done;
  export -p || return 1;
  for ck_l in $CK_E; do
    case " $CK_N " in *" $ck_l "*) continue;; esac;
    echo "unset $ck_l" || return 1;
  done;
  ck_d=$CK_CD;
  for ck_l in $CK_N; do command unset "$ck_l"; done;
  PATH=$CK_P;
  ck_plain $CK_V || return 1;
  echo "CK_V='$CK_V'" || return 1;
  echo 'ck_l=${OLDPWD-}; CDPATH= cd -- "$CK_CD" && OLDPWD=$ck_l && unset CK_CD && CK_K=1' || return 1;
  printf 'kept=%s cwd=%s' "${CK_T#,}" "$ck_d" >| "$CK_O/kept";
};

# Only in the shell of the command itself: a subshell may have a trap of its own. A function of the
# command that is called like a program would be taken for it here.
ck_keep() {
  CK_S=$?;
  ck_l=${BASHPID-};
  [ "$ck_l" ] || { read -r ck_l < /proc/self/stat && ck_l=${ck_l%% *}; } || ck_l=$$;
  [ "$ck_l" = "$$" ] || return "$CK_S";
  ( CK_F=$IFS; set +eufxC; IFS=' '; umask 077;
    unset -f cd echo export ln mkdir printf pwd rm sed;
    [ -d "$CK_O" ] || mkdir -p "$CK_O";
    CK_N=; ck_write >| "$CK_O/state" || {
      IFS=' '; for ck_l in $CK_N; do command unset "$ck_l"; done; PATH=$CK_P;
      rm -f "$CK_O/state" "$CK_O/kept"; ln -s disk "$CK_O/kept"; } );
  return "$CK_S";
};

# A trap of the command on its end keeps first.
ck_trap() {
  command trap "$@" || return;
  [ "${1-}" != -- ] || shift;
  ck_a=${1-};
  case $ck_a in -p|-l|[0-9]*) return 0;; -) ck_a=:;; esac;
  while [ $# -gt 1 ]; do
    shift;
    case $1 in 0|EXIT|exit) command trap "{ ck_keep && :; } 2>/dev/null; $ck_a" EXIT;; esac;
  done;
};

CK_P=$PATH CK_V=;
CK_L=$(printf '\nx'); CK_L=${CK_L%x};
ck_names; CK_E=$CK_N;
for ck_l in $CK_E; do eval "CK_0_$ck_l=\${$ck_l-}"; done;

# -- 2: finds what was left

ck_lost() {
  ln -s "$1" "$CK_O/kept" 2>/dev/null;
  echo "cockpit: $2; the command was not run" >&2;
  exit 125;
};

CK_K=;
[ ! -r "$CK_I" ] || . "$CK_I" 2>/dev/null;
[ "$CK_K" ] || [ -z "${CK_CD-}" ] ||
  ck_lost directory "the directory $CK_CD, where earlier commands of this runbook went, is gone";
[ "$CK_K" ] || ck_lost gone "what earlier commands of this runbook left on this host is gone";

# -- 3: leaves something in the end

CK_V="$CK_V $CK_W";
trap '{ ck_keep && :; } 2>/dev/null' EXIT;
if [ "${BASH_VERSION-}" ]; then eval 'trap() { ck_trap "$@"; }'; else alias trap=ck_trap; fi;
