# Sets up the air-gapped lane: a Debian unstable root with Bazel in it, entered through bubblewrap.

suite=sid
host_needs=(debootstrap bubblewrap)

# The name carries what the root is made of: a change of packages.txt makes a new one.
root="$cache/airgap/root-$(cat "$workspace/tools/airgap/packages.txt" <(echo "$suite") | cksum | cut -d' ' -f1)"

provision_root() {
  require_mirror
  [[ -e "$root/.complete" ]] && command -v bwrap >/dev/null && return
  mkdir -p "$cache/airgap"
  # Two first runs at once: the second waits here, then finds the work done.
  exec 9>"$cache/airgap/lock"
  if ! flock --nonblock 9; then
    say "another bazelw is setting up; waiting for it."
    flock 9
  fi
  : >"$cache/airgap/provision.log"
  install_host_needs
  if [[ ! -e "$root/.complete" ]]; then
    make_root
  fi
  exec 9>&-
}

install_host_needs() {
  local missing=()
  command -v debootstrap >/dev/null || [[ -x /usr/sbin/debootstrap ]] || missing+=(debootstrap)
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  ((${#missing[@]})) || return 0
  is_root || give_up "the packages ${missing[*]} are missing and only root can install them: run 'sudo apt-get install ${host_needs[*]}' once, or install bazelisk."
  command -v apt-get >/dev/null || give_up "the air-gapped lane needs Debian's ${missing[*]}, and there is no apt-get here; install bazelisk for the online lane."
  run_step "installing ${missing[*]}" bash -c "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ${missing[*]}"
}

make_root() {
  is_root || give_up "the first set-up of the air-gapped lane unpacks a Debian system and needs root once (afterwards any user with user namespaces can build): run 'sudo EXPLANATION_CACHE=$cache ./bazelw info'."
  local gigabytes
  gigabytes="$(free_gigabytes "$cache")"
  ((gigabytes >= 12)) || give_up "$cache has $gigabytes GB free and the set-up with its builds needs 12; free some or set EXPLANATION_CACHE to a larger disk."
  say "setting up Bazel from Debian packages, once (about two minutes, 2.5 GB in $cache)"
  rm -rf "$root".partial-*
  local partial="$root.partial-$$"
  run_step "unpacking a Debian base system" bootstrap_base "$partial"
  run_step "installing Bazel $(cat "$workspace/.bazelversion") and its modules" install_packages "$partial"
  touch "$partial/.complete"
  mv -T "$partial" "$root"
}

bootstrap_base() {
  PATH="$PATH:/usr/sbin:/sbin" debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    "$suite" "$1" "$DEBIAN_MIRROR"
}

install_packages() {
  local packages
  packages="$(sed '/^#/d' "$workspace/tools/airgap/packages.txt" | tr '\n' ' ')"
  # A snapshot mirror's Release file can be past its date; signatures are still checked.
  cat >"$1/etc/apt/apt.conf.d/99bazelw" <<'APT'
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Install-Recommends "false";
Dpkg::Options { "--force-unsafe-io"; };
Dpkg::Use-Pty "false";
APT
  # Documentation and manual pages are half of what dpkg would write.
  printf 'path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n' \
    >"$1/etc/dpkg/dpkg.cfg.d/bazelw"
  cp -L /etc/resolv.conf "$1/etc/resolv.conf"
  # Proxies and time-outs of the machine's apt; not its sources.
  apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|ftp|Retries)' >"$1/etc/apt/apt.conf.d/98host" || true
  chmod 1777 "$1/tmp"
  bwrap --bind "$1" / --dev-bind /dev /dev --bind /proc /proc --ro-bind /sys /sys \
    --setenv DEBIAN_FRONTEND noninteractive --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --unsetenv TMPDIR \
    sh -c "apt-get update -q && apt-get install -q -y $packages && apt-get clean"
}

# Runs a command inside the root with the host's own folders at their own paths.
enter_root() {
  local binds=() path
  for path in /*; do
    case "$path" in
      /bin | /boot | /dev | /etc | /lib | /lib32 | /lib64 | /libx32 | /proc | /sbin | /sys | /usr | /var | /lost+found) ;;
      *) [[ -d "$path" && ! -L "$path" ]] && binds+=(--bind "$path" "$path") ;;
    esac
  done
  for path in /var/lib/docker /var/tmp; do
    [[ -d "$path" ]] && binds+=(--bind-try "$path" "$path")
  done
  for path in /etc/resolv.conf /etc/hosts /etc/passwd /etc/group /etc/pip.conf /etc/xdg/pip /etc/ssl/certs/ca-certificates.crt; do
    [[ -e "$path" ]] && binds+=(--ro-bind "$(readlink -f "$path")" "$path")
  done
  exec bwrap --bind "$root" / --dev-bind /dev /dev --bind /proc /proc --ro-bind /sys /sys "${binds[@]}" \
    --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --chdir "$PWD" "$@"
}
