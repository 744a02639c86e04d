# Sourced by the other scripts: finds what they need, or installs it.
# shellcheck shell=bash

say() { printf '\033[1m%s\033[0m\n' "$*"; }
die() { printf '\033[1;31m%s\033[0m\n' "$*" >&2; exit 1; }

# Visdom 0.2.4 is built from source and needs a setuptools that still has pkg_resources. Newer versions of pip read the
# second variable for builds, older ones the first.
export PIP_CONSTRAINT="$PWD/scripts/constraints.txt" PIP_BUILD_CONSTRAINT="$PWD/scripts/constraints.txt"
export PIP_DISABLE_PIP_VERSION_CHECK=1

# debian PACKAGE...: install Debian packages, if this is a Debian and we may.
debian() {
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    die "please install: $* (done automatically only for root on Debian)"
  fi
  say "installing from Debian: $*"
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || die "apt-get could not install $*"
}

# works PYTHON VERSION: whether this is a working interpreter of exactly (3.13) this version.
works() { "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" 2>/dev/null; }

# find_python VERSION: print the path of an interpreter, from PATH or one that pyenv has but does not offer there.
find_python() {
  local candidate
  for candidate in "python$1" python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"*/bin/python; do
    candidate=$(command -v "$candidate") || continue
    if works "$candidate" "$1"; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return 0
    fi
  done
  return 1
}

# make_venv PYTHON DIRECTORY
make_venv() {
  [ -x "$2/bin/pip" ] && return
  if ! "$1" -c 'import ensurepip' 2>/dev/null; then
    debian "python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  fi
  "$1" -m venv --clear "$2"
}

need_npm() {
  command -v node >/dev/null || debian nodejs
  command -v npm >/dev/null || debian npm
}

need_chromium() {
  local missing=()
  command -v chromium >/dev/null || missing+=(chromium)
  command -v chromedriver >/dev/null || missing+=(chromium-driver)
  [ ${#missing[@]} = 0 ] || debian "${missing[@]}"
}

# Debian keeps it where only root's PATH looks.
need_nginx() {
  PATH=$PATH:/usr/sbin command -v nginx >/dev/null || debian nginx-light
  command -v openssl >/dev/null || debian openssl
}

# promtool checks metrics and alert rules.
need_promtool() { command -v promtool >/dev/null || debian prometheus; }
