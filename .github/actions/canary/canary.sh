#!/usr/bin/env bash
# Runs the command of the action; its exit code is that of canary-harness. Options are words, quotes included; nothing of
# them is run. What deploys is a command line of the workflow's author, which bash runs.
set -euo pipefail
harness=${HARNESS:-$RUNNER_TEMP/canary-harness/bin/canary-harness}
case $COMMAND in doctor | run | watch | rehearse) ;; *)
    echo "::error title=canary-harness::command: doctor, run, watch or rehearse, not '$COMMAND'"
    exit 2
    ;;
esac
mapfile -t options < <(python3 -c 'import os, shlex; print(*shlex.split(os.environ["OPTIONS"]), sep="\n")')
words=("$COMMAND")
[ -z "$EXPERIMENT" ] || words+=("$EXPERIMENT")
[ -z "$OPTIONS" ] || words+=("${options[@]}")
[ -z "$DEPLOY" ] || words+=(-- bash -c "$DEPLOY")
exec "$harness" "${words[@]}"
