#!/usr/bin/env bash
# Write the comment of a pull request: the one that is there is brought up to date, instead of a new one each time.
# Reads PV_COMMENT, PV_PULL_REQUEST, PV_PYTHON, GITHUB_TOKEN, GITHUB_API_URL, GITHUB_REPOSITORY.
# A token that may not write comments, as that of a fork, is told and fails nothing.
set -euo pipefail
python="${PV_PYTHON:-python3}"
case "$PV_PULL_REQUEST" in '' | *[!0-9]*) echo "::warning title=pv::no pull request to comment on"; exit 0 ;; esac
api="${GITHUB_API_URL:-https://api.github.com}/repos/$GITHUB_REPOSITORY/issues"

ask() { # METHOD URL [DATA-FILE]: the token goes by standard input, for every user of a host sees arguments
    printf 'Authorization: Bearer %s\n' "$GITHUB_TOKEN" |
        curl --silent --show-error --fail --max-time 60 --retry 2 --request "$1" --header @- \
            --header 'Accept: application/vnd.github+json' --header 'Content-Type: application/json' \
            ${3:+--data-binary "@$3"} "$2"
}

# Ours begins with the first line of the text, and was written by a bot: nobody else's is touched.
find_ours() {
    "$python" -c '
import json, sys
mark = open(sys.argv[1], encoding="utf-8").readline().strip()
listed = json.load(sys.stdin)
for one in listed:
    first = (one.get("body") or "").partition("\n")[0].strip()
    if first == mark and (one.get("user") or {}).get("type") == "Bot":
        print(int(one["id"]))
        break
else:
    print("more" if len(listed) == 100 else "none")
' "$PV_COMMENT"
}

body="$(mktemp)"
trap 'rm -f "$body"' EXIT
"$python" -c '
import json, sys
print(json.dumps({"body": open(sys.argv[1], encoding="utf-8").read()[:65000]}))
' "$PV_COMMENT" > "$body"

found=more
page=1
while [ "$found" = more ]; do
    answer="$(ask GET "$api/$PV_PULL_REQUEST/comments?per_page=100&page=$page")" || {
        echo "::notice title=pv::the comments of this pull request cannot be read with this token"
        exit 0
    }
    found="$(find_ours <<< "$answer")"
    page=$((page + 1))
done
if [ "$found" = none ]; then
    said="$(ask POST "$api/$PV_PULL_REQUEST/comments" "$body")" && echo "commented" && exit 0
else
    said="$(ask PATCH "$api/comments/$found" "$body")" && echo "brought comment $found up to date" && exit 0
fi
echo "::notice title=pv::the comment cannot be written with this token: $said"
