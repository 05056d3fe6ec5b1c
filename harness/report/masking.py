"""Masks secrets in whatever a run writes down: its command line and its experiment."""

import re
import shlex
from collections.abc import Iterable

import msgspec

from harness.core.experiment.requests import email_of
from harness.core.experiment.types import ERROR_PERSONA, PERSONAS, Arm, Experiment

MASK = "***"
KNOWN_USERS = frozenset(map(email_of, (*PERSONAS, ERROR_PERSONA)))

_SECRET_NAME = re.compile(r"pass(word|wd)?|secret|token|credential|auth|(api|private|access)[_-]?key", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_AUTHORIZATION = re.compile(r"(authorization\s*[:=]\s*)(.+)", re.IGNORECASE)


def masked(command: Iterable[str]) -> list[str]:
    """A command line without passwords, tokens and authorization values other than the known test users."""
    safe: list[str] = []
    secret_next = False
    for word in command:
        safe.append(MASK if secret_next and not word.startswith("-") else _masked_word(word))
        secret_next = word.startswith("-") and "=" not in word and bool(_SECRET_NAME.search(word))
    return safe


def without_secrets(experiment: Experiment) -> Experiment:
    """The experiment with every secret in its environments and in its deploy command masked."""
    command = experiment.deployment.command
    return msgspec.structs.replace(
        experiment,
        baseline=_without_secrets(experiment.baseline),
        canary=_without_secrets(experiment.canary),
        deployment=msgspec.structs.replace(experiment.deployment, command=command and masked_text(command)),
    )


def masked_text(command: str) -> str:
    """A command line as one string, masked."""
    return shlex.join(masked(shlex.split(command)))


def _without_secrets(arm: Arm) -> Arm:
    env = {name: MASK if _SECRET_NAME.search(name) else value for name, value in arm.env.items()}
    return msgspec.structs.replace(arm, env=env)


def _masked_word(word: str) -> str:
    word = _USER_IN_URL.sub(MASK, word)
    word = _AUTHORIZATION.sub(_masked_authorization, word)
    name, equals, _ = word.partition("=")
    if equals and MASK not in word and not _AUTHORIZATION.search(word) and _SECRET_NAME.search(name):
        return f"{name}={MASK}"
    return word


def _masked_authorization(match: re.Match[str]) -> str:
    return match[0] if match[2].strip() in KNOWN_USERS else f"{match[1]}{MASK}"
