"""The routes of the Canary tab: its page, its JSON, the files of runs, and the guard of Locust's own page."""

import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Blueprint, Response, abort, g, jsonify, request, send_file, send_from_directory
from flask_cors import cross_origin
from flask_login import current_user
from werkzeug.exceptions import BadRequest

from harness.aws.clients import Aws
from harness.aws.offers import offers
from harness.core.experiment.gate import Gate
from harness.errors import ExitCode, HarnessError, NotAllowed, UsageError
from harness.plugin import options
from harness.plugin.panel import controls
from harness.plugin.panel.exposition import CONTENT_TYPE, exposition
from harness.plugin.panel.runs import file_of, folder_of, listed
from harness.plugin.panel.state import State
from harness.plugin.panel.view import PanelView
from harness.plugin.start_form import form_of, told_to_locust
from harness.plugin.starting import Starts

if TYPE_CHECKING:
    from harness.plugin.director import Director

NAME = "canary"
KEY = "canary"
"""What Locust's page calls the tab in its address: `?tab=canary`."""
TOKEN_HEADER = "X-Canary-Token"  # noqa: S105 - the name of the header, not its value
ASSETS = Path(__file__).parent / "assets"
LARGEST_BODY = 10_000
_SCRIPT = '<script type="module" src="./canary/assets/embed.js"></script>'
_SANDBOX = "sandbox allow-scripts allow-popups allow-downloads"
_GUARDED = frozenset({"locust", NAME})
_ENDING = ("cleanup", "stopping")
"""What Locust calls a test that is ending. Told so, its page asks no more, and never offers a new test."""


class Panel:
    """Adds the Canary tab to a Locust web page."""

    def __init__(self, environment: Any, director: "Director") -> None:
        # Judging needs it. Imported when somebody first looks, it would hold up the requests of a test under way.
        import scipy.special  # noqa: F401

        self._environment = environment
        self._director = director
        self._view = PanelView(director, environment)
        self._token = secrets.token_urlsafe(24)
        self._starts = Starts(environment, director)
        web_ui, given = environment.web_ui, environment.parsed_options
        self._gate = Gate(options.web_hosts(given), socket.gethostname())
        self._auth = web_ui.auth_required_if_enabled
        app = web_ui.app
        app.before_request(self._guard)
        app.after_request(self._dress)
        app.register_blueprint(self._blueprint(given.web_base_path or ""))
        self._fill_locusts_form(web_ui)
        tabs = web_ui.template_args.setdefault("extended_tabs", [])
        tabs.append({"title": "Canary", "key": KEY})

    def _blueprint(self, base: str) -> Blueprint:
        blueprint = Blueprint(NAME, __name__, url_prefix=f"{base}/canary")
        reading: dict[str, Callable[..., Any]] = {
            "/": self._page,
            "/assets/<name>": self._asset,
            "/metrics": self._metrics,
            "/api/v1/state": self._state,
            "/api/v1/schema": self._schema,
            "/api/v1/token": self._tell_token,
            "/api/v1/runs": self._runs,
            "/api/v1/start": self._form,
            "/api/v1/choices": self._choices,
            "/run/<name>": self._file_of_last,
            "/runs/index.html": self._index,
            "/runs/<experiment>/<start>/<name>": self._file,
        }
        for rule, view in reading.items():
            self._add(blueprint, rule, view, "GET")
        for name in controls.CONTROLS:
            self._add(blueprint, f"/api/v1/{name}", self._controlled(name), "POST")
        self._add(blueprint, "/api/v1/start", self._start, "POST")
        blueprint.register_error_handler(HarnessError, _told)
        return blueprint

    def _add(self, blueprint: Blueprint, rule: str, view: Callable[..., Any], method: str) -> None:
        """Puts a route behind the login, and without the CORS permission that Locust gives to all origins."""
        closed = cross_origin(origins=[], methods=[method], automatic_options=False)(self._auth(view))
        blueprint.add_url_rule(rule, endpoint=f"{method} {rule}".replace(".", "-"), view_func=closed, methods=[method])

    # Before and after every request

    def _guard(self) -> Response | None:
        """Refuses requests of foreign pages, and tests that cannot be run."""
        if (request.endpoint or "").partition(".")[0] not in _GUARDED:
            return None
        refusal = self._gate.refusal_by_page(request.method, request.headers)
        if refusal:
            return _error(refusal, 403)
        if request.endpoint == "locust.swarm" and (refusal := self._unplayable()):
            return _refused_to_the_form(refusal)
        return None

    def _unplayable(self) -> str | None:
        """Why the test that Locust's form asks for cannot be run, or not be changed so; None if it can."""
        ours = options.read_form({n: v for n, v in request.form.items() if n.startswith("canary_")})
        host = request.form.get("host")
        try:
            if self._starts.changes(host):
                self._starts.check_edit(ours, host)
            else:
                self._starts.admit(ours, host)
                g.admitted = True
        except (UsageError, NotAllowed) as error:
            return str(error)
        return None

    def _told_if_refused(self, response: Response) -> Response:
        """Has Locust's form tell why a test that it asked for could not begin, where START was pressed."""
        begun = response.is_json and bool((response.get_json(silent=True) or {}).get("success"))
        refusal = self._starts.outcome(begun=begun)
        return _refused_to_the_form(refusal) if begun and refusal else response

    def _fill_locusts_form(self, web_ui: Any) -> None:
        """Has Locust's form offer choices as choices, and say what holds where a field is left empty."""
        update = web_ui.update_template_args

        def updated() -> None:
            update()
            form = form_of(self._environment, None)
            others = {n: v for n, v in web_ui.template_args["extra_options"].items() if n not in options.in_form()}
            web_ui.template_args["extra_options"] = {**told_to_locust(form), **others}

        web_ui.update_template_args = updated

    def _dress(self, response: Response) -> Response:
        """Adds our script to Locust's page, and keeps all pages out of foreign frames."""
        if g.pop("admitted", False):
            response = self._told_if_refused(response)
        response.headers.setdefault("X-Frame-Options", "SAMEORIGIN")
        if (request.endpoint or "").startswith(f"{NAME}."):
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers["X-Content-Type-Options"] = "nosniff"
        elif request.endpoint == "locust.index" and response.mimetype == "text/html":
            response.set_data(response.get_data(as_text=True).replace("</body>", f"{_SCRIPT}</body>"))
        elif request.endpoint == "locust.request_stats" and response.mimetype == "application/json":
            _keep_asked(response)
        return response

    # Reading

    def _page(self) -> Response:
        return send_from_directory(ASSETS, "page.html")

    def _asset(self, name: str) -> Response:
        return send_from_directory(ASSETS, name)

    def _state(self) -> Response:
        return _json(self._view.encoded(self._token))

    def _metrics(self) -> Response:
        return Response(exposition(self._view.state()), content_type=CONTENT_TYPE)

    def _schema(self) -> Response:
        return _json(msgspec.json.encode(msgspec.json.schema(State)))

    def _tell_token(self) -> Response:
        return Response(self._token, mimetype="text/plain")

    def _runs(self) -> Response:
        return _json(msgspec.json.encode({"schema": 1, "runs": listed(self._reports())}))

    def _file_of_last(self, name: str) -> Response:
        run = self._director.last
        return _file(run.folder.path if run else None, name)

    def _index(self) -> Response:
        return _file(self._reports(), "index.html")

    def _file(self, experiment: str, start: str, name: str) -> Response:
        return _file(folder_of(self._reports(), experiment, start), name)

    def _reports(self) -> Path:
        return options.reports(self._environment.parsed_options)

    def _form(self) -> Response:
        return _json(msgspec.json.encode(form_of(self._environment, self._starts.refusal())))

    def _choices(self) -> Response:
        experiment = options.settings_of(self._environment.parsed_options).experiment
        return _json(msgspec.json.encode(offers(Aws(), experiment.deployment)))

    # Steering

    def _start(self) -> Response:
        body = self._allowed_body()
        if isinstance(body, Response):
            return body
        asked = controls.start_asked(body)
        by = self._who()(asked.by)
        self._starts.start(asked.options, asked.host, asked.users)
        if run := self._director.run:
            run.by_hand.started(by)
        self._view.expire()
        return _json(msgspec.json.encode({"schema": 1, "done": "the test has begun"}))

    def _allowed_body(self) -> bytes | Response:
        """The body of who has the token; what else is answered where it cannot be."""
        if not self._has_token():
            return _error(f"the header {TOKEN_HEADER} must be the token of /canary/api/v1/token", 403)
        body = _body()
        return _error(f"at most {LARGEST_BODY} bytes are read", 413) if body is None else body or b"{}"

    def _controlled(self, name: str) -> Callable[[], Response]:
        def steer() -> Response:
            body = self._allowed_body()
            if isinstance(body, Response):
                return body
            run = self._director.run
            if run is None:
                return _error("no test is running", 409)
            told = controls.steer(name, run.by_hand, body, self._who())
            self._view.expire()
            return _json(msgspec.json.encode({"schema": 1, "done": told}))

        return steer

    def _has_token(self) -> bool:
        given = request.headers.get(TOKEN_HEADER, "")
        return secrets.compare_digest(given.encode(), self._token.encode())

    def _who(self) -> Callable[[str | None], str]:
        """How to name who asks: who signed in, or else the name that was given, and the address."""
        signed_in = current_user.get_id() if self._environment.web_ui.web_login else None
        where = request.remote_addr or "?"
        return lambda given: f"{signed_in or given or 'someone'} ({where})"


def _body() -> bytes | None:
    """The body of the request; None where it is too large, by its `Content-Length` or by the bytes that came."""
    if (request.content_length or 0) > LARGEST_BODY:
        return None
    try:
        body = request.stream.read(LARGEST_BODY + 1)
    except OSError as error:  # the client went away, or sends malformed chunks
        raise BadRequest(f"the body cannot be read: {error}") from error
    return body if len(body) <= LARGEST_BODY else None


def _file(folder: Path | None, name: str) -> Response:
    path = file_of(folder, name) if folder else None
    if path is None:
        abort(404)
    text = path.suffix not in (".html", ".svg", ".png", ".json", ".xml", ".csv", ".parquet")
    response = send_file(path, mimetype="text/plain" if text else None)
    response.headers["Content-Security-Policy"] = _SANDBOX  # a report shows words of the service under test
    return response


def _refused_to_the_form(reason: str) -> Response:
    """Locust's form shows the message of an answer of this shape beside its button."""
    response: Response = jsonify({"success": False, "message": reason, "host": ""})
    return response


def _json(encoded: bytes) -> Response:
    return Response(encoded, mimetype="application/json")


def _error(reason: str, status: int) -> Response:
    response = _json(msgspec.json.encode({"schema": 1, "error": reason}))
    response.status_code = status
    return response


def _keep_asked(response: Response) -> None:
    """Tells Locust's page that a test that is ending is running."""
    told = msgspec.json.decode(response.get_data())
    if told.get("state") in _ENDING:
        response.set_data(msgspec.json.encode({**told, "state": "running"}))


def _told(error: Exception) -> Response:
    if isinstance(error, controls.Unreadable):
        return _error(str(error), 400)
    refused = isinstance(error, HarnessError) and error.exit_code in (ExitCode.USAGE, ExitCode.GUARD_RAIL)
    return _error(str(error), 409 if refused else 502)
