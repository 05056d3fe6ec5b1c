"""What goes with an experiment where it is wanted: a job for CI, and a locustfile."""

import shlex
from typing import Literal

from harness.core.experiment.sendable import variables_of
from harness.core.experiment.types import Experiment

Service = Literal["github", "gitlab"]
_STACK = "YOUR-STACK"

_GITHUB = """\
# Deploys under traffic, and fails where the canary is not released as {file} expects.
# Yours to fill in: the variables CANARY_ROLE_ARN and AWS_REGION of the environment canary, the command after --,
# {names}.
# Until canary-harness is on PyPI, have pip install its wheel, or git+https://… of it.
name: canary
on: workflow_dispatch
permissions: {{}}
concurrency: {{group: canary, cancel-in-progress: false}}  # one deployment of a group at a time
jobs:
  canary:
    name: Canary release under traffic
    runs-on: ubuntu-latest
    timeout-minutes: 45
    environment: canary  # holds the secrets, and may ask a person first
    permissions:
      contents: read  # to check the repository out
      id-token: write  # to ask AWS for a role
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with: {{persist-credentials: false}}
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with: {{python-version: "3.12"}}
      - run: pip install canary-harness aws-sam-cli
      - uses: aws-actions/configure-aws-credentials@a03048d87541d1d9fcf2ecf528a4a65ba9bd7838 # v5.0.0
        with:
          role-to-assume: ${{{{ vars.CANARY_ROLE_ARN }}}}
          aws-region: ${{{{ vars.AWS_REGION }}}}
      - name: Is the safety net armed?
        run: canary-harness doctor {quoted} --stack {stack}{host}
{secrets}      - name: Deploy under traffic
        run: >
          canary-harness run {quoted} --stack {stack}{host}
          -- sam deploy --no-confirm-changeset --no-fail-on-empty-changeset
{secrets}      - if: always()
        uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2
        with: {{name: canary, path: reports}}
"""
_GITLAB = """\
# Deploys under traffic, and fails where the canary is not released as {file} expects.
# In .gitlab-ci.yml: include: {{local: canary.gitlab-ci.yml}}
# Yours to fill in: the CI variables CANARY_ROLE_ARN and AWS_REGION, the command after --,
# {names}.
# Until canary-harness is on PyPI, have pip install its wheel, or git+https://… of it.
canary:
  image: python:3.12-slim
  rules: [{{when: manual}}]
  timeout: 45 minutes
  resource_group: canary  # one deployment of a group at a time
  id_tokens:
    AWS_TOKEN: {{aud: "https://gitlab.com"}}
  variables:
    AWS_ROLE_ARN: $CANARY_ROLE_ARN
    AWS_WEB_IDENTITY_TOKEN_FILE: /tmp/aws-token
  before_script:
    - printf '%s' "$AWS_TOKEN" > "$AWS_WEB_IDENTITY_TOKEN_FILE"
    - pip install canary-harness aws-sam-cli
  script:
    - canary-harness doctor {quoted} --stack {stack}{host}
    - >-
      canary-harness run {quoted} --stack {stack}{host}
      -- sam deploy --no-confirm-changeset --no-fail-on-empty-changeset
  artifacts:
    when: always
    paths: [reports]
    reports: {{junit: "reports/*/*/junit.xml"}}
"""
_LOCUSTFILE = '''\
"""Plays {file}: locust -f locustfile.py --canary-experiment {quoted}"""

from locust import between

from harness import CanaryUser


class Customer(CanaryUser):
    """Sends the requests of the experiment; other users may stand beside it in this file."""

    wait_time = between(0.5, 1.5)  # of a closed loop; open arrivals keep their own schedule
'''


def ci_job(service: Service, file: str, experiment: Experiment, stack: str | None) -> tuple[str, str]:
    """The path and the text of a job that plays the experiment of a file around a deployment."""
    variables = variables_of(experiment.traffic)
    host = experiment.target.host
    missing = [f"--stack {_STACK}"] * (not stack) + ["--host https://YOUR-HOST"] * (not host)
    names = [*missing, *(["the secrets " + ", ".join(variables)] if variables else [])]
    filled = {
        "file": file,
        "quoted": shlex.quote(file),
        "stack": shlex.quote(stack or _STACK),
        "host": "" if host else " --host https://YOUR-HOST",
        "names": ", ".join(names) or "and nothing else",
        "secrets": _secrets(variables),
    }
    if service == "github":
        return ".github/workflows/canary.yml", _GITHUB.format(**filled)
    return "canary.gitlab-ci.yml", _GITLAB.format(**filled)


def _secrets(variables: tuple[str, ...]) -> str:
    lines = [f"          {name}: ${{{{ secrets.{name} }}}}\n" for name in variables]
    return "".join(["        env:\n", *lines]) if lines else ""


def locustfile(file: str) -> str:
    """The text of a locustfile for the experiment of a file."""
    return _LOCUSTFILE.format(file=file, quoted=shlex.quote(file))
