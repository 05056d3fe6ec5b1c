#!/usr/bin/env bash
# Writes report.md of the run as one comment on the pull request: the comment of an earlier run is changed, not repeated.
set -euo pipefail
mark='<!-- canary-harness -->'
body=$(mktemp)
if [ -n "$FOLDER" ] && [ -f "$FOLDER/report.md" ]; then
    { echo "$mark" && cat "$FOLDER/report.md"; } >"$body"
else
    { echo "$mark" && echo '**canary-harness** ended without a verdict; the log of its step says why.'; } >"$body"
fi
comments=repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments
ours=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | head -n 1)
if [ -n "$ours" ]; then
    gh api -X PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$ours" -F "body=@$body" >/dev/null
else
    gh api "$comments" -F "body=@$body" >/dev/null
fi
