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

# build_preset PRESET [TARGET...]: configures and builds a preset of CMakePresets.json in build/PRESET.
build_preset() {
    local preset=$1
    shift
    step "build $preset"
    cmake -S "$top" --preset "$preset"
    cmake --build "$top/build/$preset" --target "${@:-all}"
}

# Prints the comment at the head of a script without its first line: its help text.
help_text() {
    awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"
}
