# Facts that the build takes from the machine's own settings. No host name stands in this repository.

# First mirror of a kind that apt is set up for: main or security. Repositories of others, Ubuntu's
# among them, do not have the packages; before the first `apt-get update` none says whose it is.
apt_mirror() {
  command -v apt-get >/dev/null || return 0
  local want="$1" site release origin
  while read -r site release origin; do
    [[ "${origin:-Debian}" == Debian ]] || continue
    case "$want/$release" in
      security/*-security) echo "${site%/}"; return ;;
      main/*-security | main/*-updates | main/*-backports) ;;
      main/*) echo "${site%/}"; return ;;
    esac
  done < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null)
}

# Environment that repository rules read (tools/debian/packages.bzl). What stays unset on a machine
# without apt is asked for by the rule that needs it.
export_mirrors() {
  : "${DEBIAN_MIRROR:=$(apt_mirror main)}"
  : "${DEBIAN_SECURITY_MIRROR:=$(apt_mirror security)}"
  export DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR
}

require_mirror() {
  [[ -n "$DEBIAN_MIRROR" ]] ||
    give_up "no Debian mirror is known: this machine's apt names none; set DEBIAN_MIRROR to a mirror's base URL."
}

free_gigabytes() { df -Pk "$1" | awk 'NR==2 {print int($4 / 1048576)}'; }

is_root() { [[ "$(id -u)" == 0 ]]; }
