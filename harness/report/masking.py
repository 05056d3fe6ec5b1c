"""Masks secrets in whatever a run writes down; the README lists what counts as one.

A command is split into words, an environment into its values, and a URL into its parts, before anything is masked.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping

import msgspec

from harness import experiments
from harness.core.experiment.secrets import SECRET_NAME, SECRET_SHAPE
from harness.core.timeline.events import (
    Asked,
    Beside,
    CommandStarted,
    DeploymentSeen,
    Event,
    Exemplar,
    LookFailed,
    Note,
    RunEnded,
    Shadow,
    Totals,
    Trouble,
)

MASK = "***"
KNOWN_USERS = frozenset(re.findall(r"[\w.+-]+@[\w.-]+\w", experiments.service()))
KNOWN_VARIABLES = frozenset(experiments.SETTINGS)
"""Of the bundled service: their values may be seen."""

_KNOWN_USER = "|".join(map(re.escape, sorted(KNOWN_USERS)))
_SETTING = re.compile(r"[\w./:-]+", re.ASCII)
"""A word without a dash before it that may name what the next word holds, as `aws_secret_access_key` does."""
_ENDS_SECRET = re.compile(
    r"(password|passwd|passphrase|secret|token|credentials?|key|pwd|_auth|authorization|bearer|basic)$", re.IGNORECASE
)
_OPTION = re.compile(r"-{1,2}[A-Za-z][\w.-]*")
_OPTION_ALONE = re.compile(r"--[A-Za-z][\w-]*(=.*)?|-[A-Za-z]|--", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*(?==)")
_KNOWN_ASSIGNMENT = re.compile(rf"({'|'.join(sorted(KNOWN_VARIABLES))})=[\d.]*")
_TAKES_USER = frozenset({"-u", "--user", "-U", "--proxy-user", "--username"})
_TAKES_SECRET = frozenset({"-p", "-P", "--pw", "--pass", "--login", "--value", "--body"})
_TAKES_PAIRS = frozenset(
    {"-e", "--env", "--environment", "--build-arg", "--parameter-overrides", "--parameters", "--params", "--param"}
    | {"--set", "--set-string", "-var", "--var", "-c", "--context", "--env-vars", "--container-env-vars"}
    | {"--set-env-vars", "--update-env-vars", "--parameter", "--variable", "--variables", "--from-literal"}
)
_SECRET_BEHIND_LETTER = re.compile(r"(-[pP])[^\s-].*", re.DOTALL)
"""As in `-pX` of mysql; that `-print` is masked too does no harm."""
_PAIR_BEHIND_LETTER = re.compile(r"(-e)([A-Za-z_][\w.-]*=.*)", re.DOTALL)
"""As in `-eNAME=X` of docker."""

_URL = re.compile(r"""((?<![^\s"'`=(,:])\\?/\\?/)([^\s"'<>]*[^\s"'<>,)])""")
_USER_IN_PATH = re.compile(r"(?<=//)[^/@]{1,400}@")
"""Also without a scheme, and with slashes escaped as JSON may."""
_QUERY_VALUE = re.compile(r"""([?&][\w.%\[\]-]{1,80}=)([^\s&"'<>]*[^\s&"'<>,)])""")
MAY_BE_IN_QUERY = re.compile(r"-?\d{1,4}")
"""What is too short for a secret, as the number of a page."""
_USER_BEFORE_HOST = re.compile(
    rf"""(?<![\w@/])[^\s:/@=,"'*]{{1,80}}:(?!(?:{_KNOWN_USER})\b)[^\s/@"']{{1,400}}@(?=[\w\[])"""
)
_USER_AND_SLASH = re.compile(r"(?<=:)[\w$]{1,80}/[^\s/@:\"']{1,400}@")
"""As in `jdbc:oracle:thin:user/password@host`."""
_BEARER = re.compile(r"\b(Bearer\s+)[\w.~+/=-]{3,}", re.IGNORECASE)
_PAIR_HEAD = re.compile(r"""(?<![\w.-])(\\?["']?)(-{0,2}[\w.-]+)\1\s*([=:])\s*""")
_VALUE = re.compile(r"""\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|\S+\s[^;=-]*?(?=;)|\S+?(?=,?(?:\s|\Z))""", re.DOTALL)
_PLACEHOLDER = re.compile(r"""\{\{[^{}]*\}\}(?=[\s,;&?/"')]|\Z)""")
_ENVIRONMENT = re.compile(r"""(?<![\w-])(?:variables|environment|env)\\?["']?\s*[:=]\s*(?=[{\[])""", re.IGNORECASE)
"""As in the JSON that Lambda, Amazon ECS and Docker take."""
_CLOSING = {"{": "}", "[": "]"}
_REST = re.compile(r".+", re.DOTALL)
_QUOTED = re.compile(r"""\\?["']""")
_LINE = re.compile(r"""[^\r\n"']+""")
_KNOWN_VALUE = re.compile(rf"""(?:{_KNOWN_USER})(?=[\s"',;)]|$)""")
_HEADER = re.compile(r"(proxy-)?authorization|(set-)?cookie|x-[\w-]+", re.IGNORECASE)
_NAMED_BY_ANOTHER = frozenset({"parametervalue", "value"})
"""Keys whose secret is named by a key beside them, as in `ParameterKey=DbPassword,ParameterValue=…`."""
_OPTION_AND_VALUE = re.compile(
    rf"""(?<![^\s"'(])({_OPTION.pattern})(\s+)(?!{_OPTION.pattern}(?:[\s=]|$))("[^"]*"|'[^']*'|[^\s]+)"""
)
_FREE_TEXT: Mapping[type, tuple[str, ...]] = {
    Asked: ("value", "refused"),
    DeploymentSeen: ("error_message",),
    Exemplar: ("reason",),
    LookFailed: ("message",),
    Note: ("text",),
    RunEnded: ("detail",),
    Totals: ("example",),
    Trouble: ("message",),
}
"""Fields of events whose words come from outside. Those of a `Write` stay: what is undone is undone by them."""


def masked(command: Iterable[str]) -> list[str]:
    """A command line without its secrets."""
    safe: list[str] = []
    before = ""
    in_pairs = False
    for word in command:
        is_option = bool(_OPTION_ALONE.fullmatch(word))
        in_pairs = not is_option and (in_pairs or before in _TAKES_PAIRS)
        if word in ("=", ":"):
            safe.append(word)
            continue
        is_kept = is_option and "=" not in word and not _ENDS_SECRET.search(before)
        safe.append(word if is_kept else _masked_after(before, word, in_pairs=in_pairs))
        before = word
    return safe


def masked_text(command: str) -> str:
    """A command line as one string, masked."""
    try:
        return shlex.join(masked(shlex.split(command)))
    except ValueError:  # a quotation without its end
        return " ".join(masked(masked_prose(_without_pairs(command, in_command=True)).split()))


def masked_prose(text: str) -> str:
    """A sentence for people without its secrets: those of URLs, headers, options and pairs of name and value."""
    text = SECRET_SHAPE.sub(MASK, _without_pairs(text, in_command=False))
    text = _URL.sub(_masked_url, _OPTION_AND_VALUE.sub(_masked_option, text))
    text = _QUERY_VALUE.sub(_masked_query_value, text)
    text = _USER_AND_SLASH.sub(f"{MASK}@", _USER_BEFORE_HOST.sub(f"{MASK}@", text))
    return _BEARER.sub(rf"\1{MASK}", text)


def masked_event(event: Event) -> Event:
    """An event as the timeline may keep it."""
    if isinstance(event, Beside | Shadow):
        return msgspec.structs.replace(event, seen=masked_event(event.seen))
    if isinstance(event, CommandStarted):
        return msgspec.structs.replace(event, command=masked_text(event.command))
    texts = {name: getattr(event, name) for name in _FREE_TEXT.get(type(event), ())}
    safe = {name: masked_prose(text) for name, text in texts.items() if text}
    return msgspec.structs.replace(event, **safe) if safe else event


# A word of a command


def _masked_after(before: str, word: str, *, in_pairs: bool) -> str:
    """A word, as the word before it says what it is."""
    if _takes_secret(before):
        return word if word in KNOWN_USERS and _HEADER.search(before) else MASK
    if before in _TAKES_USER and ":" in word:
        return f"{word.partition(':')[0]}:{MASK}"
    if in_pairs and not word.startswith("-") and _has_pairs(word):
        return _masked_pairs(word)
    return _masked_word(word)


def _takes_secret(word: str) -> bool:
    """Whether the word after this one is a secret."""
    name = word.rstrip("=:")
    if name in _TAKES_SECRET:
        return True
    if word.startswith("-"):
        return not set("=:") & set(name) and bool(SECRET_NAME.search(name))
    return bool(_SETTING.fullmatch(name) and _ENDS_SECRET.search(name) and SECRET_NAME.search(name))


def _has_pairs(word: str) -> bool:
    return "=" in word or word[:1] in _CLOSING


def _masked_pairs(word: str) -> str:
    """`Name=value`, also several with commas or spaces in between, or JSON: all values are masked."""
    if word[0] in _CLOSING:
        return f"{word[0]}{MASK}{_CLOSING[word[0]]}"
    name, _, value = word.partition("=")
    if value.startswith("{"):
        return f"{name}={{{MASK}}}"
    parts = re.split(r"([,\s]+)(?=[\w.]+=)", word)
    return "".join(part if index % 2 else f"{part.partition('=')[0]}={MASK}" for index, part in enumerate(parts))


def _masked_word(word: str) -> str:
    if name := _ASSIGNMENT.match(word):
        return word if _KNOWN_ASSIGNMENT.fullmatch(word) else f"{name[0]}={MASK}"
    option, equals, value = word.partition("=")
    if option in _TAKES_USER and ":" in value:
        return f"{option}={value.partition(':')[0]}:{MASK}"
    if option in _TAKES_PAIRS and _has_pairs(value):
        return f"{option}={_masked_pairs(value)}"
    if equals and (option in _TAKES_SECRET or (_OPTION.fullmatch(option) and SECRET_NAME.search(option))):
        return f"{option}={MASK}"
    if re.match(r"-u[^\s:=-]+:.", word):
        return f"{word.partition(':')[0]}:{MASK}"
    if behind := _SECRET_BEHIND_LETTER.fullmatch(word):
        return f"{behind[1]}{MASK}"
    if pair := _PAIR_BEHIND_LETTER.fullmatch(word):
        return f"{pair[1]}{_masked_pairs(pair[2])}"
    return _masked_within(masked_prose(_without_pairs(word, in_command=True)))


def _masked_within(word: str) -> str:
    """A word that is a command itself, as after `sh -c`, with its own words masked."""
    if not re.search(r"\s", word) or word[0] in "{[":
        return word
    try:
        words = shlex.split(word)
    except ValueError:  # a quotation without its end
        words = word.split()
    safe = masked(words) if words != [word] else words
    return word if safe == words else " ".join(safe)


# A text


def _without_pairs(text: str, *, in_command: bool) -> str:
    """A text with the values of `name=value`, `"name": "value"` and headers masked where their names are a secret's."""
    text = _without_environments(text)
    safe: list[str] = []
    at = 0
    while head := _PAIR_HEAD.search(text, at):
        safe.append(text[at : head.end()])
        at = head.end()
        if (
            text.startswith(MASK, at)
            or _PLACEHOLDER.match(text, at)
            or not _is_secret_pair(head, in_command=in_command)
        ):
            continue
        known = _KNOWN_VALUE.match(text, at) if "authorization" in head[2].lower() else None
        value = known or _value_of(head, in_command=in_command).match(text, at)
        if value:
            safe.append(value[0] if known else MASK)
            at = value.end()
    return "".join(safe) + text[at:]


def _without_environments(text: str) -> str:
    """A text with all that stands in braces or brackets behind `"Variables":`, `"environment":` and `"env":` masked."""
    safe: list[str] = []
    at = 0
    while head := _ENVIRONMENT.search(text, at):
        begin, end = head.end(), _end_of_json(text, head.end())
        safe.append(f"{text[at:begin]}{text[begin]}{MASK}{_CLOSING[text[begin]]}")
        at = end
    return "".join(safe) + text[at:]


def _end_of_json(text: str, begin: int) -> int:
    """Where the JSON that begins here ends; if it is none, behind the last bracket, or at the end of the text."""
    if text.startswith(MASK, begin + 1):
        return begin + len(MASK) + 2
    try:
        return json.JSONDecoder().raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        return max(text.rfind("}", begin), text.rfind("]", begin)) + 1 or len(text)


def _is_secret_pair(head: re.Match[str], *, in_command: bool) -> bool:
    quote, name, sign = head.groups()
    if name.lower() in _NAMED_BY_ANOTHER and (in_command or quote or name.lower() != "value"):
        return True
    if not SECRET_NAME.search(name):
        return False
    return sign == "=" or in_command or bool(quote) or bool(_HEADER.fullmatch(name))


def _value_of(head: re.Match[str], *, in_command: bool) -> re.Pattern[str]:
    """How far the value goes: of a header to the end of its line, and so where a word begins with the name."""
    text, end = head.string, head.end()
    if _QUOTED.match(text, end):
        return _VALUE
    if head[3] == ":" and not head[1]:
        return _LINE
    return _REST if in_command and head.start() == 0 else _VALUE


def _masked_option(match: re.Match[str]) -> str:
    option, space, value = match.groups()
    if option in _TAKES_USER and ":" in value:
        return f"{option}{space}{value.partition(':')[0]}:{MASK}"
    is_secret = SECRET_NAME.search(option) or (option.startswith("--") and option in _TAKES_SECRET)
    return f"{option}{space}{MASK}" if is_secret else match[0]


def _masked_query_value(match: re.Match[str]) -> str:
    name, value = match.groups()
    may_be_seen = MAY_BE_IN_QUERY.fullmatch(value) or _PLACEHOLDER.fullmatch(value)
    return match[0] if may_be_seen else f"{name}{MASK}"


def _masked_url(match: re.Match[str]) -> str:
    """What stands after `//`: the host and the path stay."""
    slashes, rest = match.groups()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        rest = f"{MASK}@{rest[authority.rindex('@') + 1 :]}"
    elif ":" in authority and "@" in rest:  # a password that should have been percent-encoded
        rest = f"{MASK}@{rest.rpartition('@')[2]}"
    rest = _USER_IN_PATH.sub(f"{MASK}@", rest)
    shown = re.split(r"[?#]", rest, maxsplit=1)
    return f"{slashes}{shown[0]}{rest[len(shown[0])]}{MASK}" if len(shown) > 1 else f"{slashes}{rest}"
