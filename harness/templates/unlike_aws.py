"""What a rehearsal of one function plays otherwise than AWS plays the whole template, told in the verdict.

There is no API before the function here: whatever is sent reaches it, and it alone answers for the API.
"""

from collections.abc import Iterable, Iterator, Mapping

from harness.core.experiment.alarm_metric import API_GATEWAY
from harness.core.experiment.requests import Request
from harness.core.experiment.types import Experiment
from harness.core.timeline.events import AlarmDefined
from harness.templates.guards import guards_of
from harness.templates.names import names_in
from harness.templates.release import ReleasedFunction, RunFunction, TemplateRelease
from harness.templates.running import playable_name

_PLACEHOLDERS: Mapping[str, str] = {"ApiId": "{api_id}", "ApiName": "{api}"}
_ANY = ("any", "*")


def unlike_aws(
    release: TemplateRelease, one: ReleasedFunction, experiment: Experiment, *, stand_in: bool
) -> tuple[str, ...]:
    """A sentence for each thing that is played otherwise; with `stand_in` the bundled service answers."""
    run = release.runs.get(one.function)
    if run is None:
        return ()
    of_code = () if stand_in else (*_without_authorizers(run), *_of_other_functions(run, experiment))
    return (*of_code, *_counted_alone(release, one))


def dimensions_of_the_api(
    release: TemplateRelease, one: ReleasedFunction, guard: AlarmDefined
) -> dict[str, str] | None:
    """The dimensions, as an experiment has them, of an alarm on the API of the function; None of any other alarm."""
    run = release.runs.get(one.function)
    if run is None or guard.namespace != API_GATEWAY or len(guard.dimensions) != 1:
        return None
    (dimension,) = guard.dimensions.items()
    return {dimension[0]: _PLACEHOLDERS[dimension[0]]} if dimension in run.apis else None


def _without_authorizers(run: RunFunction) -> Iterator[str]:
    if run.guarded:
        yield (
            f"On AWS an authorizer or a key admits the requests to {_listed(run.guarded)}; here all reach "
            f"{run.logical}, without claims. Rehearse with the tool that deploys it to play a Lambda authorizer: "
            "-- sam deploy, for example."
        )


def _of_other_functions(run: RunFunction, experiment: Experiment) -> Iterator[str]:
    """What the function answers here that no route of the template brings to it."""
    routes = [route.value for route in run.routes]
    sent = [one for one in experiment.traffic.requests.values() if one.weight != 0]
    foreign = [one for one in sent if not any(_reaches(route, one) for route in routes)]
    if routes and foreign and not any(names_in(path) for _, path in routes):
        listed, name = _listed((one.method, one.path) for one in foreign), run.logical
        yield (
            f"The template has no route to {name} for {listed}; here {name} answers them all the same, and its arms "
            "and its verdict count them. Leave them out, or set their weight to 0."
        )


def _reaches(route: tuple[str, str], request: Request) -> bool:
    """Whether a request may be one of a route; a path that begins with a stage is, too."""
    method, path = route
    if method not in (*_ANY, request.method):
        return False
    wanted = _segments(path)
    sent = _segments(request.path.partition("?")[0])
    if not wanted:
        return path == "/" and (method in _ANY or not sent)
    if wanted[-1].endswith("+}"):
        *wanted, _ = wanted
        return any(_alike(wanted, sent[at : at + len(wanted)]) for at in (0, 1) if len(sent) > at + len(wanted))
    return any(len(rest) == len(wanted) and _alike(wanted, rest) for rest in (sent, sent[1:]))


def _alike(wanted: list[str], sent: list[str]) -> bool:
    return all(one.startswith("{") or "{{" in other or one == other for one, other in zip(wanted, sent, strict=True))


def _segments(path: str) -> list[str]:
    return [one for one in path.split("/") if one]


def _counted_alone(release: TemplateRelease, one: ReleasedFunction) -> Iterator[str]:
    alarms = [guard.name for guard in guards_of(release, one) if dimensions_of_the_api(release, one, guard)]
    if alarms:
        names, function = ", ".join(map(playable_name, alarms)), release.runs[one.function].logical
        yield (
            f"On AWS {names} counts what all functions of the API answer, and what the API answers by itself; here "
            f"{function} alone answers."
        )


def _listed(routes: Iterable[tuple[str, str]]) -> str:
    return ", ".join(sorted({f"{method.upper()} {path}" for method, path in routes}))
