# Sourced: an apt of its own for one Debian release, so that neither the machine's apt nor its suite
# matters. Signatures are checked against Debian's archive keyring.
#
# private_apt FOLDER RELEASE ARCHITECTURE: sets the array `apt_options` and fetches the indexes.
private_apt() {
  local folder="$1" release="$2" architecture="$3"
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mkdir -p "$folder"/{lists/partial,cache/archives/partial,etc}
  : >"$folder/status"
  {
    echo "deb [signed-by=$keyring] ${DEBIAN_MIRROR:?set DEBIAN_MIRROR to a mirror of Debian} $release main"
    echo "deb [signed-by=$keyring] ${DEBIAN_SECURITY_MIRROR:-${DEBIAN_MIRROR%/}-security} $release-security main"
  } >"$folder/etc/sources.list"
  apt_options=(
    -o "Dir::State=$folder" -o "Dir::State::status=$folder/status" -o "Dir::State::lists=$folder/lists"
    -o "Dir::Cache=$folder/cache" -o "Dir::Etc::sourcelist=$folder/etc/sources.list"
    -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null
    -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture"
    -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root
  )
  apt-get "${apt_options[@]}" update -q >&2
}
