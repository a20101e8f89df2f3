#!/bin/sh
# leaks.sh none|some COMMAND...: runs a program of the sanitised build with LeakSanitizer and counts the leaked blocks
# that were allocated beneath one of our own frames; there must be none (or some: that tests this script). MPI
# libraries leak by themselves: their blocks do not count, nor does the exit status that they cause.
set -u
expected=$1
shift
log=$(mktemp -d) || exit 2
trap 'rm -rf "$log"' EXIT
ASAN_OPTIONS="detect_leaks=1:log_path=$log/asan" LSAN_OPTIONS="exitcode=0" "$@"
status=$?
[ "$status" -eq 0 ] || { echo "leaks.sh: the program ended with status $status" >&2; exit 1; }
cat "$log"/asan* > "$log/all" 2> /dev/null
[ -s "$log/all" ] || { echo "leaks.sh: no report: is this the sanitised build?" >&2; exit 1; }
# A block of the report begins with "leak of" and lists its frames, until an empty line.
ours=$(awk '
  function finish() { if (hit) { count++; print block > "/dev/stderr" } block = ""; hit = 0; inside = 0 }
  /leak of/ { finish(); inside = 1 }
  /^$/ { finish() }
  inside { block = block $0 "\n" }
  inside && / in / && (/ in tg_/ || /\/primitives\/[a-z_\/]*\.c/) && !/ in main / { hit = 1 }
  END { finish(); print count + 0 }' "$log/all")
errors=$(grep -c 'ERROR: AddressSanitizer' "$log/all")
echo "leaks.sh: $ours leaks in our frames, $errors other errors"
[ "$errors" -eq 0 ] || exit 1
if [ "$expected" = none ]; then [ "$ours" -eq 0 ]; else [ "$ours" -gt 0 ]; fi
