# Debian packages: which ones, and their installation from the network or from a folder.
build_packages=(g++ make cmake ninja-build ca-certificates python3 python3-pip
  libfmt-dev nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libspdlog-dev libxxhash-dev zlib1g-dev libpcre2-dev libutf8proc-dev libarchive-dev libzstd-dev
  libgtest-dev libbenchmark-dev)
tool_packages=(clang clang-format clang-tidy python3-venv)

as_root() {
  if [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  else
    command -v sudo >/dev/null || fail "installing packages needs root: run as root, or pass --no-apt"
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Boost's packages carry their version: 1.81 on Debian 12, 1.83 on Ubuntu 24.04. Chromium is a package on Debian alone.
wanted_packages() {
  local boost=libboost1.83-dev
  [ "$(. /etc/os-release && echo "$VERSION_CODENAME")" != bookworm ] || boost=libboost1.81-dev
  wanted=("${build_packages[@]}" "$boost")
  [ "$tools" = yes ] || return 0
  wanted+=("${tool_packages[@]}")
  if [ "$(. /etc/os-release && echo "$ID")" = debian ]; then
    wanted+=(chromium)
  elif ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then
    say "this system has Chromium as a snap only: without a chromium or google-chrome the report's browser test is skipped"
  fi
}

install_packages() {
  command -v dpkg-query >/dev/null || { [ "$apt" = no ] && return 0; fail "this is no Debian or Ubuntu: install the packages of scripts/lib/packages.sh by hand and pass --no-apt"; }
  wanted_packages
  local missing=() package
  for package in "${wanted[@]}"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$apt" = yes ] || fail "missing packages: ${missing[*]} (apt-get install them, or leave --no-apt out)"
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local log=.deps/apt.log
  if [ -n "$offline" ]; then
    offline_packages
    as_root apt-get install -y --no-install-recommends "${debs[@]}" >"$log" 2>&1 || fail "apt-get could not install the packages of $offline/debs (see $log)"
  else
    as_root apt-get update >"$log" 2>&1 || fail "apt-get update failed (see $log): is there a network? --offline DIR works without"
    as_root apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 || fail "apt-get install failed (see $log): is there a network? --offline DIR works without"
  fi
}

# Sets debs to the packages of the offline folder that this machine lacks; what it has in another version stays.
offline_packages() {
  debs=()
  local file
  for file in "$offline"/debs/*.deb; do
    [ -e "$file" ] || fail "missing packages: ${missing[*]}, and $offline/debs has none (fill it with scripts/setup --download)"
    installed "$(dpkg-deb -f "$file" Package)" || debs+=("$file")
  done
  [ ${#debs[@]} -gt 0 ] || fail "missing packages: ${missing[*]}, and they are not in $offline/debs"
}

# With an empty list of installed packages apt fetches everything down to libc: the other machine may be barer than this one.
download_packages() {
  wanted_packages
  say "downloading packages into $1"
  mkdir -p "$1/partial"
  as_root apt-get update >/dev/null 2>&1 || fail "apt-get update failed: is there a network?"
  as_root apt-get -o Dir::State::status=/dev/null -o Dir::Cache::archives="$1" -o APT::Sandbox::User=root -y --download-only \
    --no-install-recommends install "${wanted[@]}" >"$1/apt.log" 2>&1 || fail "apt-get could not download (see $1/apt.log)"
  rm -rf "$1/partial" "$1/lock" "$1/apt.log"
}
