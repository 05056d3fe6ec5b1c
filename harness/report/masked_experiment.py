"""An experiment as a run may write it down: without the secrets of its URLs, environments, commands and requests."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from harness.core.experiment.placeholders import pieces
from harness.core.experiment.requests import FaultWhen, Overlay, Request, Scalar
from harness.core.experiment.secrets import SECRET_NAME
from harness.core.experiment.types import Arm, Deployment, Experiment, Traffic
from harness.report.masking import KNOWN_USERS, KNOWN_VARIABLES, MASK, MAY_BE_IN_QUERY, masked_prose, masked_text

_Deployment = TypeVar("_Deployment", bound=Deployment)
_Content = TypeVar("_Content", Request, Overlay)

_SCHEME = re.compile(r"\s*(Bearer|Basic|Token|Digest|ApiKey)?\s*", re.IGNORECASE)
"""How a credential may begin, which is no secret."""


def without_secrets(experiment: Experiment) -> Experiment:
    """The experiment with every secret masked. A placeholder stays: what it stands for is not known here."""
    host = experiment.target.host
    return replace(
        experiment,
        description=masked_prose(experiment.description),
        target=replace(experiment.target, host=host and masked_prose(host)),
        traffic=_masked_traffic(experiment.traffic),
        baseline=_masked_arm(experiment.baseline),
        canary=_masked_arm(experiment.canary),
        deployment=_masked_deployment(experiment.deployment),
        also=tuple(map(_masked_deployment, experiment.also)),
    )


def secret_in(document: Any) -> str | None:
    """The path of the first value that is masked in the plain values of an experiment; None where none is."""
    return next(_changed(document, _masked_json("", document), ""), None)


def _changed(value: Any, masked: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _changed(inner, masked[key], f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _changed(inner, masked[index], f"{path}[{index}]")
    elif value != masked:
        yield path


def _masked_deployment(deployment: _Deployment) -> _Deployment:
    command = deployment.command
    hooks = {event: _masked_arm(hook) if isinstance(hook, Arm) else hook for event, hook in deployment.hooks.items()}
    return replace(deployment, command=command and masked_text(command), hooks=hooks)


def _masked_arm(arm: Arm) -> Arm:
    env = {name: value if _may_be_seen(name, value) else MASK for name, value in arm.env.items()}
    code = arm.code and replace(arm.code, inline=arm.code.inline and MASK)
    return replace(arm, env=env, code=code, url=arm.url and masked_prose(arm.url))


def _may_be_seen(name: str, value: str | float) -> bool:
    """Whether a variable holds no secret: any text may be one, whatever its name."""
    return name in KNOWN_VARIABLES or (not isinstance(value, str) and not SECRET_NAME.search(name))


# What is sent


def _masked_traffic(traffic: Traffic) -> Traffic:
    feed = traffic.feed
    return replace(
        traffic,
        requests={key: _masked_request(request) for key, request in traffic.requests.items()},
        fault={key: _masked_overlay(overlay) for key, overlay in traffic.fault.items()},
        feed=tuple(map(_masked_values, feed)) if isinstance(feed, tuple) else feed,
        fault_when=traffic.fault_when and _masked_when(traffic.fault_when),
    )


def _masked_request(request: Request) -> Request:
    return replace(_masked_content(request), **{method: _masked_path(request.path) for method in request.methods})


def _masked_overlay(overlay: Overlay) -> Overlay:
    return replace(_masked_content(overlay), path=overlay.path and _masked_path(overlay.path))


def _masked_content(content: _Content) -> _Content:
    return replace(
        content,
        headers=_masked_values(content.headers),
        query={name: _masked_query_value(name, value) for name, value in content.query.items()},
        form=_masked_values(content.form),
        json=_masked_json("", content.json),
        body=content.body and _masked_text("", content.body),
    )


def _masked_when(when: FaultWhen) -> FaultWhen:
    return replace(when, header={name: str(_masked_value(name, value)) for name, value in when.header.items()})


def _masked_path(path: str) -> str:
    before, sign, query = path.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    safe = (
        f"{name}={_masked_query_value(name, value)}" if equals else str(_masked_query_value("", name))
        for name, equals, value in pairs
    )
    return masked_prose(before) + sign + "&".join(safe)


def _masked_query_value(name: str, value: Scalar | None) -> Scalar | None:
    """As of any URL: a text of any name is masked, save short numbers and what is all placeholder."""
    if not isinstance(value, str) or (MAY_BE_IN_QUERY.fullmatch(value) and not SECRET_NAME.search(name)):
        return _masked_value(name, value)
    return _masked_secret(value)


def _masked_values(values: Mapping[str, Scalar | None]) -> dict[str, Scalar | None]:
    return {name: _masked_value(name, value) for name, value in values.items()}


def _masked_value(name: str, value: Scalar | None) -> Scalar | None:
    if isinstance(value, str):
        return _masked_text(name, value)
    return value if isinstance(value, bool | None) or not SECRET_NAME.search(name) else MASK


def _masked_json(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked_json(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_json(name, inner) for inner in value]
    return _masked_value(name, value) if isinstance(value, str | int | float) else value


def _masked_text(name: str, text: str) -> str:
    """A text by the name that it has."""
    if text in KNOWN_USERS:
        return text
    return _masked_secret(text) if SECRET_NAME.search(name) else masked_prose(text)


def _masked_secret(text: str) -> str:
    """Around the placeholders of a secret all but its scheme is masked."""
    try:
        parts = pieces(text)
    except ValueError:
        return MASK
    if all(isinstance(part, str) for part in parts):
        return MASK if text else text
    fixed = (part for part in parts if isinstance(part, str))
    return text if all(map(_SCHEME.fullmatch, fixed)) else MASK
