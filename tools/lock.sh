#!/usr/bin/env bash
# Resolves the environments anew and writes their lock files: `tools/lock.sh [dev] [world-a] [...]`.
# Exact versions, no index address: they install from whatever index pip is set up with.
set -eu

[ $# -gt 0 ] || set -- dev world-a world-b world-oldest world-litellm
# The oldest supported Python: its back-ports install on later ones, not the other way round.
python=$(tools/find_python.sh 3.11) || { echo "Locks are made with Python 3.11; none found" >&2; exit 1; }
for name in "$@"; do
    work=$(mktemp -d)
    "$python" -m venv "$work"
    "$work/bin/pip" install -qq --disable-pip-version-check 'pip>=25.1'  # the first with --group
    project=. && [ "$name" = dev ] && project='.[job]'
    "$work/bin/pip" install -qq --progress-bar off -e "$project" --group "$name"
    # Without what it asks for, which the group lists: not every index holds that certifi.
    added= && [ "$name" = world-litellm ] && added=litellm==1.109.1
    [ -z "$added" ] || "$work/bin/pip" install -qq --progress-bar off --no-deps "$added"
    {
        echo "# Made by tools/lock.sh from pyproject.toml, group $name; do not edit."
        [ -z "$added" ] || echo "# Install with --no-deps: $added asks for a certifi that not every index holds."
        "$work/bin/pip" freeze --exclude-editable
    } > "requirements/$name.txt"
    rm -rf "$work"
done
