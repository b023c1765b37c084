#!/usr/bin/env bash
# Whole programs beside each other: this one, and those of xargs, GNU parallel and Python's pools that
# are installed. Prints two Markdown tables: against the others, and the transports among themselves.
#
#   benches/compare.sh [--write] [ROUNDS]     5 rounds unless given; about half a minute each
#
#   --write                          puts the tables into docs/performance.md too, between its two marks
#   SUPERVISOR=path/to/supervisor    takes that program instead of building this one
#
# Each round measures everything once, so that other load on the machine affects all programs alike. A
# figure is the median of the rounds, a ratio the median of the ratios within the rounds; above 1 this
# program is faster. Everything is timed from its start to its end. Python's pools are warm before
# their clock starts, except where the start itself is measured.
set -u -o pipefail
export LC_ALL=C

fail() {
    printf 'compare.sh: %s\n' "$*" >&2
    exit 1
}

write=no
if [ "${1:-}" = --write ]; then
    write=yes
    shift
fi
rounds=${1:-${ROUNDS:-5}}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "ROUNDS is a number from 1 on, not $rounds"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1

if [ -n "${SUPERVISOR:-}" ]; then
    supervisor=$(realpath -- "$SUPERVISOR") || exit 1
else
    target=${CARGO_TARGET_DIR:-$here/../target}
    cargo build --quiet --release --bins --manifest-path "$here/../Cargo.toml" || fail "the build failed"
    supervisor=$(realpath -- "$target/release/supervisor") || exit 1
fi
[ -x "$supervisor" ] || fail "$supervisor cannot be run"

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export PYTHONDONTWRITEBYTECODE=1
# GNU parallel asks each user once to cite it, which would disturb the measurement; this answers in a scratch folder.
export PARALLEL_HOME=$scratch/parallel
mkdir -p "$PARALLEL_HOME" && : >"$PARALLEL_HOME/will-cite"

cores=$(nproc)
seq 20 >lines20
# Written in large pieces, so that it lies in the page cache like a file that was read from a disk.
dd if=/dev/urandom of=blocks bs=32M count=8 iflag=fullblock status=none || exit 1

# What is measured, one entry each in these lists. A kind of work has several entries; the first one is ours.
works=() units=() names=() counts=() commands=()

# entry WORK UNIT NAME COUNT COMMAND: UNIT is `rate` (COUNT a second), `trip` (microseconds for one of
# COUNT), `time` (milliseconds), or `self`, `selftrip`: the command says its figure itself, on stderr.
entry() {
    works+=("$1") units+=("$2") names+=("$3") counts+=("$4") commands+=("$5")
}

have() {
    command -v "$1" >/dev/null 2>&1
}

quietly="$(printf %q "$supervisor") -q"
python="python3 $(printf %q "$here/pools.py")"
skipped=()
have xargs || skipped+=("xargs")
if ! parallel --version 2>/dev/null | grep -q '^GNU parallel'; then
    skipped+=("GNU parallel")
fi
if ! python3 -c 'import concurrent.futures, multiprocessing' 2>/dev/null; then
    skipped+=("Python")
fi

# is_here NAME: whether its rows are measured.
is_here() {
    local word
    for word in "${skipped[@]}"; do
        [ "$word" != "$1" ] || return 1
    done
}

for slots in "$cores" 16; do
    work="\`/bin/true\` for each item, $slots at once"
    entry "$work" rate ours 2000 "seq 2000 | $quietly -j$slots -- /bin/true"
    is_here xargs && entry "$work" rate "\`xargs -P$slots -n1\`" 2000 "seq 2000 | xargs -P$slots -n1 /bin/true"
    is_here "GNU parallel" && entry "$work" rate "\`parallel -j$slots\`" 200 "seq 200 | parallel -j$slots /bin/true"
    is_here Python && entry "$work" self "Python ProcessPoolExecutor and subprocess" 1000 "$python executor processes $slots 1000 10"
done

work="numbers squared by 2 workers"
entry "$work" rate ours 20000000 "$quietly -j2 --task square --output none --items 20000000"
if is_here Python; then
    entry "$work" self "Python Pool, 1,000 a message" 500000 "$python pool items 2 500000 1000"
    entry "$work" self "Python ProcessPoolExecutor, 1,000 a message" 300000 "$python executor items 2 300000 1000"
fi

work="the same, a message for each"
entry "$work" rate ours 2000000 "$quietly -j2 --task square --output none --batch-max 1 --items 2000000"
if is_here Python; then
    entry "$work" self "Python Pool" 20000 "$python pool items 2 20000 1"
    entry "$work" self "Python ProcessPoolExecutor" 3000 "$python executor items 2 3000 1"
fi

work="round trip, one item in flight"
entry "$work" trip ours 10000 "$quietly -j1 --credit 1 --task square --output none --items 10000"
if is_here Python; then
    entry "$work" selftrip "Python Pool" 3000 "$python pool trips 1 3000 1"
    entry "$work" selftrip "Python ProcessPoolExecutor" 2000 "$python executor trips 1 2000 1"
fi

work="lines through 2 workers and back, in order"
entry "$work" rate ours 10000000 "seq 10000000 | $quietly -j2 -k -a - --task echo --output results"
if is_here "GNU parallel"; then
    entry "$work" rate "\`parallel --pipe -k cat\`" 4000000 "seq 4000000 | parallel --pipe -k -j2 cat"
    entry "$work" rate "\`parallel --pipe --round-robin cat\`, in any order" 10000000 "seq 10000000 | parallel --pipe --round-robin -j2 cat"
fi
is_here Python && entry "$work" self "Python Pool, 1,000 a message" 500000 "seq 500000 | $python pool lines 2 500000 1000"
entry "$work" rate "\`seq \\| cat\`, the least there is to do" 10000000 "seq 10000000 | cat"

work="start 5 workers, 20 items, stop"
entry "$work" time ours 1 "$quietly -w5 --items 20 --output none"
is_here xargs && entry "$work" time "\`xargs -P5 -n1 echo\`" 1 "xargs -P5 -n1 -a lines20 echo"
is_here "GNU parallel" && entry "$work" time "\`parallel -j5 echo\`" 1 "parallel -j5 -a lines20 echo"
if is_here Python; then
    entry "$work" time "Python Pool" 1 "$python pool start 5 20 1"
    entry "$work" time "Python ProcessPoolExecutor" 1 "$python executor start 5 20 1"
fi

work="start 200 workers, 200 items, stop"
entry "$work" time ours 1 "$quietly -w200 --items 200 --output none"
is_here Python && entry "$work" time "Python Pool" 1 "$python pool start 200 200 1"

# The transports, as the help names them, and threads.
of_transports=${#works[@]}
kinds=$("$supervisor" -h | sed -n 's/.*How frames travel: \([a-z, ]*\) \[.*/\1/p' | tr -d ,)
[ -n "$kinds" ] || fail "the help does not name the transports"
columns=("tiny items" "a message each" "round trip" "lines, in order" "blocks of 1 MiB")
case " $kinds " in *" shm "*) kinds="$kinds shm-spin" ;; esac
for kind in $kinds thread; do
    case $kind in
        shm-spin) kind="shm, spinning" flags="--transport shm --spin 50us" ;;
        thread) kind="threads, no isolation" flags="--isolation thread" ;;
        *) flags="--transport $kind" ;;
    esac
    ours="$quietly $flags"
    entry "${columns[0]}" rate "$kind" 20000000 "$ours -j2 --task square --output none --items 20000000"
    entry "${columns[1]}" rate "$kind" 1000000 "$ours -j2 --task square --output none --batch-max 1 --items 1000000"
    entry "${columns[2]}" trip "$kind" 5000 "$ours -j1 --credit 1 --task square --output none --items 5000"
    entry "${columns[3]}" rate "$kind" 5000000 "seq 5000000 | $ours -j2 -k -a - --task echo --output results"
    entry "${columns[4]}" rate "$kind" 268435456 "$ours -j2 --task hash --output none --block 1M -d '' -a blocks"
done

# measure ENTRY: one figure on stdout, or nothing if the command failed.
measure() {
    local started ended figure unit=${units[$1]}
    started=${EPOCHREALTIME/./}
    figure=$(bash -c "${commands[$1]}" 2>&1 >/dev/null </dev/null) || return
    ended=${EPOCHREALTIME/./}
    case $unit in
        self | selftrip) printf '%s\n' "$figure" ;;
        rate) awk -v n="${counts[$1]}" -v us=$((ended - started)) 'BEGIN { print n * 1e6 / us }' ;;
        trip) awk -v n="${counts[$1]}" -v us=$((ended - started)) 'BEGIN { print us / n }' ;;
        time) awk -v us=$((ended - started)) 'BEGIN { print us / 1000 }' ;;
    esac
}

for ((round = 1; round <= rounds; round++)); do
    printf 'round %s of %s\n' "$round" "$rounds" >&2
    for entry in "${!works[@]}"; do
        measure "$entry" >one || printf 'compare.sh: failed: %s\n' "${commands[$entry]}" >&2
        printf '%s\n' "$(tail -n1 one)" >>"figures.$entry"
    done
done

# median FILE: of the numbers in it; a dash if there is none.
median() {
    sort -g "$1" | awk 'NF { v[n++] = $1 } END { print n ? (v[int((n - 1) / 2)] + v[int(n / 2)]) / 2 : "-" }'
}

# ratio OURS OTHER: the median of the rounds' ratios, above 1 if ours is faster.
ratio() {
    local is_time=0
    case ${units[$1]} in trip | time) is_time=1 ;; esac
    paste -d' ' "figures.$1" "figures.$2" |
        awk -v is_time=$is_time 'NF == 2 { print is_time ? $2 / $1 : $1 / $2 }' >ratios
    median ratios | awk '$1 == "-" { print; next } { printf $1 < 10 ? "%.2f\n" : $1 < 100 ? "%.1f\n" : "%.0f\n", $1 }'
}

# shown ENTRY: its median with its unit.
shown() {
    median "figures.$1" | awk -v unit="${units[$1]}" -v bytes="$([ "${counts[$1]}" = 268435456 ] && echo 1)" '
        function short(x) { return sprintf(x < 10 ? "%.1f" : "%.0f", x) }
        $1 == "-" { print "failed"; next }
        bytes { print short($1 / 1024 ^ 3) " GiB/s"; next }
        unit ~ /trip/ { print short($1) " µs"; next }
        unit == "time" { print short($1) " ms"; next }
        $1 >= 1e6 { print short($1 / 1e6) " M/s"; next }
        $1 >= 1e4 { print short($1 / 1e3) " k/s"; next }
        { print int($1) "/s" }'
}

# tables: all of it.
tables() {
    local model name entry ours column
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n1)
    printf 'Measured on %s: %s cores (%s), Linux %s, %s rounds.\n' "$(date -u +%F)" "$cores" "${model:-unknown}" "$(uname -r)" "$rounds"
    for name in "${skipped[@]}"; do
        printf 'Not measured, since not installed: %s.\n' "$name"
    done

    printf '\n| work | ours | compared with | its | ratio |\n|---|---|---|---|---|\n'
    for ((entry = 0; entry < of_transports; entry++)); do
        if [ "${names[$entry]}" = ours ]; then
            ours=$entry
            continue
        fi
        printf '| %s | %s | %s | %s | %s |\n' "${works[$entry]}" "$(shown "$ours")" "${names[$entry]}" "$(shown "$entry")" "$(ratio "$ours" "$entry")"
    done

    printf '\n| transport |'
    printf ' %s |' "${columns[@]}"
    printf '\n|---|'
    printf -- '---|%.0s' "${columns[@]}"
    for ((entry = of_transports; entry < ${#works[@]}; entry += ${#columns[@]})); do
        printf '\n| %s |' "${names[$entry]}"
        for ((column = 0; column < ${#columns[@]}; column++)); do
            printf ' %s |' "$(shown $((entry + column)))"
        done
    done
    printf '\n'
}

tables | tee tables
if [ $write = yes ]; then
    awk '/^<!-- end of compare -->/ { inside = 0 }
        !inside
        /^<!-- compare -->/ { inside = 1; print ""; while ((getline line < "tables") > 0) print line; print "" }' \
        "$here/../docs/performance.md" >page && cp page "$here/../docs/performance.md"
fi
