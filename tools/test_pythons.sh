#!/usr/bin/env bash
# The host half in both SDK worlds on other Pythons: `tools/test_pythons.sh 3.12 3.13 -- [pytest arguments]`.
# A version that is not installed is named and passed over.
set -u
. tools/parts.sh

versions=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    versions+=("$1")
    shift
done
[ $# -gt 0 ] && shift

host_half() { # world, version, pytest arguments
    local world=$1 version=$2 env=.venvs/$1-$2
    shift 2
    tools/venv.sh "$env" "requirements/world-$world.txt" "$version" || return
    "$env/bin/python" -m pytest -q tests/sdk tests/host -n 2 -m "not chaos" "$@"
}

for version in "${versions[@]}"; do
    if ! tools/find_python.sh "$version" >/dev/null; then
        printf '\nPython %s is not installed: not tested on it\n' "$version"
        continue
    fi
    for world in a b; do
        part "Host half, Python $version, SDK world $world" host_half "$world" "$version" "$@"
    done
done
verdict "Other Pythons (${versions[*]})"
