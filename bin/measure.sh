# shellcheck shell=bash
# Shared by the scripts in bin/ that time whole commands: sourced, never run, after lib.sh.
#
#   measured N CMD…        run a command N times, and twice before that to warm up; print the median of the milliseconds that it
#                          took and of the kilobytes that it held at most. Its output is dropped; die if it fails.

measured() {
    local runs=$1 run start end cost
    shift
    cost=$(mktemp)
    for run in $(seq $((runs + 2))); do
        start=${EPOCHREALTIME/./}
        # GNU time is small itself: what a process held before it became the command counts as the command's.
        /usr/bin/time -o "$cost.one" -f %M "$@" >/dev/null </dev/null || die "\`$*\` failed"
        end=${EPOCHREALTIME/./}
        [ "$run" -le 2 ] || printf '%s %s\n' "$((end - start))" "$(cat "$cost.one")" >>"$cost"
    done
    printf '%s %s\n' "$(median 1 "$cost" | awk '{ printf "%.1f", $1 / 1000 }')" "$(median 2 "$cost")"
    rm -f "$cost" "$cost.one"
}

median() {
    sort -n -k"$1,$1" "$2" | awk -v field="$1" '{ value[NR] = $field } END { print value[int((NR + 1) / 2)] }'
}
