"""A Compose file: a master and its workers on one host."""

from collections.abc import Mapping

from harness.templates.scaled.run import HOME, REPORTS, Document, ScaledRun, counted, master_words, words

_FILES = f"{HOME}/files"
_OF_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION")
"""Handed to the master from the person's own environment, where they are set; a profile is in files on the host."""


def compose_file(run: ScaledRun, paths: Mapping[str, str], user: str) -> tuple[list[str], list[Document]]:
    """What a person is told, and the file.

    `paths` say where each of the run's files is on the host; `user` owns them and the reports there.
    """
    services = {"master": _master(run, paths, user), "worker": _worker(run, paths, user)}
    return _told(run), [{"name": run.name, "services": services}]


def _told(run: ScaledRun) -> list[str]:
    secrets = [f"These secrets come from your environment: {', '.join(run.secrets)}."] if run.secrets else []
    return [
        f"A master and {counted(run.workers)} on one host:",
        "  mkdir -p reports",
        "  docker compose -f THIS-FILE run --rm --use-aliases master",
        "The exit code is the verdict's. Reports are in ./reports.",
        *secrets,
        "The master asks AWS with the keys of your environment. Of a profile, set them before:",
        '  eval "$(aws configure export-credentials --format env)"',
    ]


def _master(run: ScaledRun, paths: Mapping[str, str], user: str) -> Document:
    command = [*words(run, _FILES), "--master", "--headless", f"--expect-workers={run.workers}"]
    region = f"AWS_REGION={run.region}" if run.region else "AWS_REGION"
    return {
        "image": run.image,
        "user": user,
        "command": [*map(_literal, [*command, *master_words(run, _FILES)])],
        "environment": [*run.secrets, *_OF_AWS, region],
        "volumes": [*_mounts(paths), {"type": "bind", "source": "./reports", "target": REPORTS}],
        "depends_on": ["worker"],
    }


def _worker(run: ScaledRun, paths: Mapping[str, str], user: str) -> Document:
    return {
        "image": run.image,
        "user": user,
        "command": [*words(run, _FILES), "--worker", "--master-host=master"],
        **({"environment": [*run.requests_need]} if run.requests_need else {}),
        **({"volumes": _mounts(paths)} if paths else {}),
        "deploy": {"replicas": run.workers},
    }


def _mounts(paths: Mapping[str, str]) -> list[Document]:
    return [
        {"type": "bind", "source": _literal(path), "target": f"{_FILES}/{name}", "read_only": True}
        for name, path in paths.items()
    ]


def _literal(text: str) -> str:
    """A text in which Compose sees no variable."""
    return text.replace("$", "$$")
