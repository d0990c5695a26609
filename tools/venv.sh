#!/usr/bin/env bash
# Makes an environment from a lock file, with this checkout installed in it editable.
#     tools/venv.sh DIR LOCK [VERSION]      VERSION as in 3.12; default: the first Python from 3.11 on
# Does nothing but refresh the editable install where DIR was already made from the same LOCK.
set -eu

dir=$1 lock=$2 version=${3:-}
# Twice quiet: errors only. An index that lacks one package is no news.
pip=("$dir/bin/python" -m pip -qq --disable-pip-version-check --no-input)

if ! cmp -s "$lock" "$dir/made-from.txt"; then
    python=$("$(dirname "$0")/find_python.sh" $version) || {
        echo "Cannot make $dir: no Python ${version:-3.11 or later} with venv and pip found;" \
             "install one (Debian: apt install python3.11-venv) or put it on PATH" >&2
        exit 1
    }
    echo "making $dir from $lock with $("$python" -V)"
    "$python" -m venv --clear "$dir"
    # A lock is complete; where what one package asks for cannot be had, it says so in its head.
    wishes=() && grep -q '^# Install with --no-deps' "$lock" && wishes=(--no-deps)
    "${pip[@]}" install --progress-bar off ${wishes[@]+"${wishes[@]}"} -r "$lock"
    cp "$lock" "$dir/made-from.txt"
fi
"${pip[@]}" install --no-deps -e .
