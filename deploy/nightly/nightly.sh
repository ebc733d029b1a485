#!/bin/sh
# Sweep a project, hand its evidence on, and write its page: what a timer runs each night.
#
# usage: nightly.sh [PROJECT]
#
# PROJECT, or PV_PROJECT, is the folder of pv.toml; by default the one that this is run in. Other settings are variables:
#   PV_PROGRAM  the pv to run                                        pv
#   PV_SWEEP    options of `pv sweep`, parted by spaces              --allow-declined
#   PV_PULL     what to do before: `git pull --ff-only` where 1      (nothing)
#   PV_STORE    URL to push evidence to                              the [store] of pv.toml, where it has one
#   PV_SITE     folder of the page; it is replaced as a whole        (no page)
#   PV_LOGS     folder of logs, journals and reports                 PROJECT/.pv/nightly
#   PV_KEEP     how many nights of these are kept                    30
#
# A sweep that was killed, with its host perhaps, is gone on with instead of beginning another one.
# Ends as `pv sweep` ended; with 75 where another night is still at it; with 4 where the sweep is well and what follows it is not.
set -u
pv="${PV_PROGRAM:-pv}"
project="${1:-${PV_PROJECT:-.}}"
cd "$project" || exit 2
project="$(pwd -P)"
[ -f pv.toml ] || { echo "nightly: there is no pv.toml in $project" >&2; exit 2; }
logs="${PV_LOGS:-$project/.pv/nightly}"
keep="${PV_KEEP:-30}"
mkdir -p "$logs" || exit 4

# The lock is that of whoever has the file open: it ends with the last process of a night, however that ends.
exec 9>> "$logs/lock"
if ! flock --nonblock 9; then
    echo "nightly: another one is still at it (lock $logs/lock)" >&2
    exit 75
fi

unfinished="$logs/unfinished"
night="$(date -u +%Y%m%dT%H%M%SZ)"
resumed=
if [ -f "$unfinished" ]; then
    before="$(cat "$unfinished")"
    if [ -s "$logs/$before.jsonl" ]; then
        resumed=1
        night="$before"
    fi
fi
log="$logs/$night.log"
say() { printf '%s  %s\n' "$(date -u +%H:%M:%SZ)" "$*" | tee -a "$log" >&2; }

after=0
step() { # WHAT COMMAND...: what comes before and after the sweep
    what="$1"
    shift
    say "$what"
    "$@" >> "$log" 2>&1 || { say "$what: failed with $?"; after=4; }
}

if [ "${PV_PULL:-}" = 1 ] && [ -z "$resumed" ]; then
    step "bring the tree up to date" git pull --quiet --ff-only
fi

sweep() { # begins one, and notes which, so that it can be gone on with
    say "sweep"
    printf '%s\n' "$night" > "$unfinished.new" && mv "$unfinished.new" "$unfinished"
    # shellcheck disable=SC2086 # several words are meant
    "$pv" sweep --journal "$logs/$night.jsonl" --report "markdown:$logs/$night.md" ${PV_SWEEP---allow-declined} \
        >> "$log" 2>&1
    ended=$?
}
if [ -n "$resumed" ]; then
    say "go on with the sweep of $night, which did not end"
    "$pv" sweep --resume --journal "$logs/$night.jsonl" --report "markdown:$logs/$night.md" --allow-declined \
        >> "$log" 2>&1
    ended=$?
    if [ "$ended" = 2 ]; then
        say "it cannot be gone on with: $log says why"
        night="$(date -u +%Y%m%dT%H%M%SZ)"
        log="$logs/$night.log"
        sweep
    fi
else
    sweep
fi
say "the sweep ended with $ended"
# 130 and signals: there is something to go on with. Everything else is an end.
if [ "$ended" -lt 128 ]; then rm -f "$unfinished"; fi

if [ -n "${PV_STORE:-}" ]; then
    step "push evidence" "$pv" evidence push --store "$PV_STORE"
elif grep -q '^\[store\]' pv.toml; then
    step "push evidence" "$pv" evidence push
fi
if [ -n "${PV_SITE:-}" ]; then
    step "write the page" "$pv" report --html "$PV_SITE"
fi

# A name is a time, so that the oldest come first.
for ending in log jsonl md; do
    count="$(find "$logs" -maxdepth 1 -name "2*.$ending" | wc -l)"
    find "$logs" -maxdepth 1 -name "2*.$ending" | sort | head -n "$((count > keep ? count - keep : 0))" |
        while IFS= read -r old; do rm -f "$old"; done
done
ln -sfn "$night.log" "$logs/latest.log"
ln -sfn "$night.md" "$logs/latest.md"
if [ "$ended" = 0 ]; then ended="$after"; fi
exit "$ended"
