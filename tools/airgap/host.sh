# Facts that the build takes from the machine's own settings. No host name stands in this repository.

# Mirrors that apt is set up for, one "site release" a line, most preferred first. Repositories of
# others, Ubuntu's among them, do not have the packages; before the first `apt-get update` none says
# whose it is.
apt_mirrors() {
  command -v apt-get >/dev/null || return 0
  local site release origin
  while read -r site release origin; do
    [[ "${origin:-Debian}" != Debian ]] || echo "${site%/} $release"
  done < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null)
}

# Environment that repository rules read (tools/debian/packages.bzl). What stays unset on a machine
# without apt is asked for by the rule that needs it.
export_mirrors() {
  if [[ -z "${DEBIAN_MIRROR:-}" || -z "${DEBIAN_SECURITY_MIRROR:-}" ]]; then
    local site release main="" security=""
    while read -r site release; do
      case "$release" in
        *-security) security="${security:-$site}" ;;
        *-updates | *-backports) ;;
        *) main="${main:-$site}" ;;
      esac
    done < <(apt_mirrors)
    : "${DEBIAN_MIRROR:=$main}" "${DEBIAN_SECURITY_MIRROR:=$security}"
  fi
  export DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR
}

require_mirror() {
  [[ -n "$DEBIAN_MIRROR" ]] ||
    give_up "no Debian mirror is known: this machine's apt names none; set DEBIAN_MIRROR to a mirror's base URL."
}

free_gigabytes() { df -Pk "$1" | awk 'NR==2 {print int($4 / 1048576)}'; }

is_root() { [[ "$(id -u)" == 0 ]]; }
