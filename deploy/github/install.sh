#!/usr/bin/env bash
# Install the pv of this action, without extras, into an environment of its own.
# Reads PV_PYTHON, GITHUB_ACTION_PATH, RUNNER_TEMP.
set -euo pipefail
place="$RUNNER_TEMP/pv-environment"
"${PV_PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet --disable-pip-version-check "$GITHUB_ACTION_PATH"
