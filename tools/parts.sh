# Sourced. Runs named parts, all of them whatever fails, and says at the end which did.
ran=0
failed=()
began=$SECONDS

part() { # title, command and its arguments
    local title=$1 start=$SECONDS
    shift
    ran=$((ran + 1))
    printf '\n=== %s ===\n' "$title"
    "$@" || failed+=("$title")
    printf -- '--- %s: %d s\n' "$title" $((SECONDS - start))
}

verdict() { # what was run
    printf '\n'
    if [ ${#failed[@]} -eq 0 ]; then
        printf '%s: %d part(s) run, all passed, %d s\n' "$1" $ran $((SECONDS - began))
        exit 0
    fi
    printf 'FAILED: %s\n' "${failed[@]}"
    printf '%s: %d of %d part(s) failed\n' "$1" ${#failed[@]} $ran
    exit 1
}
