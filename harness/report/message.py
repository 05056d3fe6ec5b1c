"""What a webhook is told of a run: one message at each moment that matters to people who do not look at the page."""

import html
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness.core.experiment.types import MessageForm
from harness.core.verdict.types import Verdict
from harness.report import facts

Moment = Literal["started", "alarm", "undone", "verdict"]


class WebhookMessage(Struct, frozen=True, kw_only=True):
    """One message; `exit_code` and what stands before it are there at the verdict alone. `at` is ISO 8601, UTC."""

    schema: int = 1
    moment: Moment
    at: str
    experiment: str
    run: str
    text: str
    outcome: str | None = None
    call: str | None = None
    result: str | None = None
    exit_code: int | None = None


def verdict_message(verdict: Verdict, *, at: str, experiment: str, run: str) -> WebhookMessage:
    """The verdict in one message: its headline, who was hurt, and why."""
    lines = [facts.headline(verdict), facts.exposure(verdict), *verdict.because]
    return WebhookMessage(
        moment="verdict",
        at=at,
        experiment=experiment,
        run=run,
        text="\n".join(facts.plain(line) for line in lines),
        outcome=verdict.outcome,
        call=verdict.call,
        result=verdict.result,
        exit_code=verdict.exit_code,
    )


def body(message: WebhookMessage, form: MessageForm) -> bytes:
    """The body of the request, JSON in each form."""
    return msgspec.json.encode(_FORMS[form](message))


def _json(message: WebhookMessage) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(message).items() if value is not None}


def _title(message: WebhookMessage) -> str:
    return f"canary-harness, {message.experiment}: {message.text}"


def _slack(message: WebhookMessage) -> dict[str, Any]:
    # Slack reads <…> as links and mentions: https://api.slack.com/reference/surfaces/formatting#escaping
    return {"text": html.escape(_title(message), quote=False)}


def _teams(message: WebhookMessage) -> dict[str, Any]:
    """An adaptive card, as an incoming webhook of Teams' workflows takes it."""
    block = {"type": "TextBlock", "text": _title(message).replace("\n", "\n\n"), "wrap": True}
    card = {"type": "AdaptiveCard", "version": "1.4", "body": [block]}
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


_FORMS: Mapping[MessageForm, Callable[[WebhookMessage], dict[str, Any]]] = {
    "json": _json,
    "slack": _slack,
    "teams": _teams,
}
