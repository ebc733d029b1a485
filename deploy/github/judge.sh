#!/usr/bin/env bash
# Run pv over the project in the working folder; say by GITHUB_OUTPUT how it ended and which files there are.
# Reads PV_PROGRAM, PV_PATHS, PV_BASE, PV_STALE, PV_STRICT, RUNNER_TEMP, GITHUB_OUTPUT.
# Ends with 0 whatever pv says, so that what follows is done; the last step of the action ends as pv did.
set -uo pipefail
pv="${PV_PROGRAM:-}"
[ -n "$pv" ] || pv="$RUNNER_TEMP/pv-environment/bin/pv"
files="$(mktemp -d "$RUNNER_TEMP/pv.XXXXXX")"
worst=0

rank() { # CODE: of several ends, 130 > 4 > 2 > 1 > 3 > 0
    case "$1" in 0) echo 0 ;; 3) echo 1 ;; 1) echo 2 ;; 2) echo 3 ;; 130) echo 5 ;; *) echo 4 ;; esac
}
ended() { # CODE
    if [ "$(rank "$1")" -gt "$(rank "$worst")" ]; then worst="$1"; fi
}
quietly() { # COMMAND...: what it prints is text; a contract must not write workflow commands
    local token code
    token="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
    echo "::stop-commands::$token"
    "$@"
    code=$?
    echo
    echo "::$token::"
    return "$code"
}

paths=()
while IFS= read -r line || [ -n "$line" ]; do
    line="${line%$'\r'}"
    if [ -n "$line" ]; then paths+=("$line"); fi
done <<< "${PV_PATHS:-contracts}"
strict=()
if [ "${PV_STRICT:-false}" = true ]; then strict=(--strict); fi
comment=
base="${PV_BASE:-}"

if [ -n "$base" ]; then
    git rev-parse --quiet --verify --end-of-options "$base^{commit}" > /dev/null ||
        git fetch --quiet --no-tags -- origin "$base" ||
        echo "::warning title=pv::the base of this change is not here; let actions/checkout have fetch-depth: 0"
    stale=()
    if [ -n "${PV_STALE:-}" ]; then stale=(--stale "$PV_STALE"); fi
    "$pv" gate --no-run --base="$base" "${stale[@]}" --report github --comment "$files/comment.md"
    ended $?
    if [ -s "$files/comment.md" ]; then comment="$files/comment.md"; fi
    quietly "$pv" validate "${strict[@]}" --report "sarif:$files/pv.sarif" -- "${paths[@]}"
    ended $?
else
    "$pv" validate "${strict[@]}" --report "sarif:$files/pv.sarif" --report github -- "${paths[@]}"
    ended $?
fi
# For its page in the summary: what every falsifier stands at. Its annotations would bury those of the change.
"$pv" status --report github > "$files/status.txt" 2>&1
code=$?
if [ "$code" != 2 ]; then ended "$code"; fi # no contract has a falsifier: `pv validate` has said what counts

sarif=
if [ -s "$files/pv.sarif" ]; then sarif="$files/pv.sarif"; fi
{
    echo "exit=$worst"
    echo "sarif=$sarif"
    echo "comment=$comment"
} >> "$GITHUB_OUTPUT"
