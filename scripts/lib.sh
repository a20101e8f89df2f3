# shellcheck shell=bash
# lib.sh: what the scripts of this folder share. They read it with `source`; it is no program.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$(basename "$0")

# The end for wrong words or files: one line, exit status 2.
die() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 2
}

# The headline of a step.
step() {
    printf '\n== %s\n' "$*"
}

# Runs a command; its exit status is one check of those that the script counts in passed and failed.
counted() {
    step "$*"
    if "$@"; then
        passed=$((passed + 1))
    else
        echo "$1 ended with status $?"
        failed=$((failed + 1))
    fi
}

# build_preset PRESET [TARGET...]: configures and builds a preset of CMakePresets.json in build/PRESET. Where ccache is
# installed, what another preset or clone compiled with the same words is not compiled again.
build_preset() {
    local preset=$1
    shift
    step "build $preset"
    if command -v ccache >/dev/null && [[ $preset != smpi ]]; then # whose compiler is a script that ccache does not know
        local -x CMAKE_C_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1
    fi
    cmake -S "$top" --preset "$preset"
    cmake --build "$top/build/$preset" --target "${@:-all}"
}

# Prints the comment at the head of a script without its first line: its help text.
help_text() {
    awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"
}

# ---- where the time goes ----
# Scripts note their parts in the file TENSORGAUGE_TIMES, which the first of them makes (and prints at its end).

# What the clocks say: the wall's, those of this shell and of what it waited for (user, system), and the time that the
# machine's cores were taken away from it (steal).
clocks() {
    echo "$EPOCHREALTIME"
    times
    awk '$1 == "cpu" { print $9 / 100 }' /proc/stat
}

# timed PART COMMAND...: runs the command and notes what it took.
timed() {
    local part=$1 before=$TENSORGAUGE_TIMES.$$
    shift
    clocks >"$before"
    "$@"
    clocks >>"$before"
    awk -v part="$part" '
        function seconds(text, at) { at = index(text, "m"); return 60 * substr(text, 1, at - 1) + substr(text, at + 1) }
        NF == 2 { user[NR] = seconds($1); system_s[NR] = seconds($2) }
        NF == 1 { value[NR] = $1 }
        END {
            printf "part\t%s\t%.1f\t%.1f\t%.1f\t%.1f\n", part, value[5] - value[1], user[6] + user[7] - user[2] - user[3],
                system_s[6] + system_s[7] - system_s[2] - system_s[3], value[8] - value[4]
        }' "$before" >>"$TENSORGAUGE_TIMES"
    rm -f "$before"
}

# The table of the parts, and the ten longest of the tests, which are lines "test PRESET NAME SECONDS".
show_times() {
    step "where the time went, in seconds"
    awk -F '\t' '
        BEGIN { form = "%-22s %8s %8s %8s %8s\n"; printf form, "part", "wall", "user", "system", "stolen" }
        $1 == "part" { printf form, $2, $3, $4, $5, $6; for (i = 3; i <= 6; i++) sum[i] += $i }
        END { printf form, "together", sum[3], sum[4], sum[5], sum[6] }' "$TENSORGAUGE_TIMES"
    echo "the longest tests:"
    sort -t $'\t' -k 4,4 -rn <(grep '^test' "$TENSORGAUGE_TIMES") | awk -F '\t' 'NR <= 10 { printf "%8.1f  %s (%s)\n", $4, $3, $2 }'
}
