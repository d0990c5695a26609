#!/usr/bin/env bash
# Prints the first working Python among the versions given: `tools/find_python.sh 3.12 3.13`.
# Without versions: any Python from 3.11 on. Looks on PATH, then among pyenv's versions.
set -u

# A pyenv shim exists for versions that are not active, and Debian splits ensurepip off: only a run tells.
works() { # executable, exact version or nothing
    "$1" -c "
import ensurepip, sys, venv
found = sys.version_info[:2]
sys.exit(found < (3, 11) or '$2' not in ('', '%d.%d' % found))" >/dev/null 2>&1
}

try() { # version or nothing, candidate executables
    local version=$1 candidate
    shift
    for candidate in "$@"; do
        if works "$candidate" "$version"; then
            echo "$candidate"
            exit 0
        fi
    done
}

[ $# -gt 0 ] || set -- 3.11 3.12 3.13 ""
for version in "$@"; do
    IFS=$'\n'
    try "$version" $(type -ap "python${version:-3}") \
        "${PYENV_ROOT:-$HOME/.pyenv}/versions/${version:-3}".*/bin/python
    unset IFS
done
exit 1
