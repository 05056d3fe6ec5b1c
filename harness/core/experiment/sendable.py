"""The checks of requests that types cannot make: whether each can be sent, can fail, and has all its values."""

from collections.abc import Iterable, Iterator, Mapping

from harness.core.experiment.answers import check_of, find_of
from harness.core.experiment.composing import CannotBe, Hole, expected_of, faulty, message_of, overlaid_twice
from harness.core.experiment.feed import Feed
from harness.core.experiment.requests import ALL, METHODS, FromHeader, Overlay, Request
from harness.core.experiment.shape import Problems
from harness.core.experiment.types import Experiment, Traffic
from harness.errors import ExperimentError

SERVER_ERRORS = 500

_REQUESTS = "traffic.requests"


def name_of(key: str, request: Request) -> str:
    """What reports and groups call a request."""
    return request.name or key


def names_of(traffic: Traffic) -> tuple[str, ...]:
    """The names of all requests."""
    return tuple(dict.fromkeys(name_of(key, request) for key, request in traffic.requests.items()))


def weight_of(traffic: Traffic, key: str) -> float:
    """How often a request is sent by itself, beside the others."""
    weight = traffic.requests[key].weight
    if weight is not None:
        return weight
    return 0.0 if any(key in flow.steps for flow in traffic.flow.values()) else 1.0


def sent_of(traffic: Traffic) -> tuple[str, ...]:
    """The keys of all requests that are sent: by themselves, or as a step of a flow."""
    steps = {step for flow in traffic.flow.values() if flow.weight for step in flow.steps}
    return tuple(key for key in traffic.requests if weight_of(traffic, key) or key in steps)


def fault_of(traffic: Traffic, key: str) -> Overlay | None:
    """What makes a request fail; None where nothing does."""
    everywhere, own = traffic.fault.get(ALL), traffic.fault.get(key)
    return overlaid_twice(everywhere, own) if everywhere and own else own or everywhere


def can_fail(traffic: Traffic) -> bool:
    """Whether any request that is sent can be made to fail."""
    return any(fault_of(traffic, key) for key in sent_of(traffic))


def named_in(traffic: Traffic, key: str) -> Iterator[str]:
    """The columns and taken values that a request uses, as it is and as its fault has it."""
    overlay = fault_of(traffic, key)
    request = traffic.requests[key]
    for one in (request, faulty(request, overlay)) if overlay else (request,):
        holes = message_of(one).holes
        yield from (hole.placeholder.name for hole in holes if hole.placeholder.kind == "named")


def variables_of(traffic: Traffic) -> tuple[str, ...]:
    """The variables of the environment that the requests use."""
    requests = [*traffic.requests.values()]
    overlaid = [(traffic.requests[key], fault_of(traffic, key)) for key in traffic.requests]
    faults = [faulty(request, overlay) for request, overlay in overlaid if overlay]
    holes = (hole.placeholder for one in (*requests, *faults) for hole in message_of(one).holes)
    return tuple(dict.fromkeys(hole.name for hole in holes if hole.kind == "env"))


def about_requests(experiment: Experiment, highest_share: float) -> Problems:
    """Everything that is wrong in what is to be sent; nothing where the experiment does not say what."""
    traffic = experiment.traffic
    if traffic.fault_when is not None and not (traffic.fault_when.header or traffic.fault_when.name):
        yield ExperimentError(
            "traffic.fault_when", "fits every request; say which header or which name fault requests have"
        )
    if not traffic.requests:
        yield from _about_nothing(traffic)
        return
    for key, request in traffic.requests.items():
        yield from _about_request(key, request, f"{_REQUESTS}.{key}")
    yield from _about_flows(traffic)
    yield from _about_faults(traffic, highest_share)
    if not any(weight_of(traffic, key) for key in traffic.requests) and not any(
        flow.weight for flow in traffic.flow.values()
    ):
        yield ExperimentError(_REQUESTS, "needs at least one weight above 0")
    yield from _about_values(traffic)
    for index, group in enumerate((experiment.deployment, *experiment.also)):
        path = f"also[{index - 1}].requests" if index else "deployment.requests"
        yield from _about_known(group.requests, names_of(traffic), path)


def _about_nothing(traffic: Traffic) -> Problems:
    for key in ("fault", "feed", "flow"):
        if getattr(traffic, key):
            yield ExperimentError(f"traffic.{key}", "is for traffic.requests, which are missing")


def _about_known(names: Iterable[str], known: Iterable[str], path: str) -> Problems:
    known = tuple(known)
    for name in names:
        if name not in known:
            yield ExperimentError(path, f"no request is called {name}; known are {', '.join(known)}")


def _about_request(key: str, request: Request, path: str) -> Problems:
    if key == ALL or not key.strip():
        yield ExperimentError(path, f"must be called otherwise: {ALL} stands for all requests in traffic.fault")
    if len(request.methods) != 1:
        got = f", got {' and '.join(request.methods)}" if request.methods else ""
        yield ExperimentError(path, f"needs exactly one of {', '.join(METHODS)}, with its path{got}")
        return
    yield from _about_message(request, path)
    if request.check is not None and request.head is not None:
        yield ExperimentError(f"{path}.check", "has nothing to look at: an answer to HEAD has no body")
    yield from _about_looks(request, path)


def _about_message(request: Request, path: str) -> Problems:
    try:
        message_of(request)
    except CannotBe as problem:
        yield ExperimentError(f"{path}.{problem.part}", str(problem))


def _about_looks(request: Request, path: str) -> Problems:
    try:
        expected_of(request)
        if request.check is not None:
            check_of(request.check)
    except ValueError as error:  # CannotBe, too
        yield ExperimentError(f"{path}.check", str(error))
    for name, where in request.take.items():
        try:
            if not isinstance(where, FromHeader):
                find_of(where)
        except ValueError as error:
            yield ExperimentError(f"{path}.take.{name}", str(error))


# Flows


def _about_flows(traffic: Traffic) -> Problems:
    for name, flow in traffic.flow.items():
        path = f"traffic.flow.{name}.steps"
        if not flow.steps:
            yield ExperimentError(path, "needs at least one step, the key of a request")
        yield from _about_known(flow.steps, traffic.requests, path)
    steps = {step for flow in traffic.flow.values() for step in flow.steps}
    for key, request in traffic.requests.items():
        if request.take and key not in steps:
            problem = "keeps values for later steps of a flow, and no flow of traffic.flow has this request"
            yield ExperimentError(f"{_REQUESTS}.{key}.take", problem)


# Faults


def _about_faults(traffic: Traffic, highest_share: float) -> Problems:
    yield from _about_known(traffic.fault, (ALL, *traffic.requests), "traffic.fault")
    for key, request in traffic.requests.items():
        overlay = fault_of(traffic, key)
        if overlay and len(request.methods) == 1:
            yield from _about_fault(traffic, key, overlay)
    if highest_share > 0 and not can_fail(traffic):
        seen = f"{highest_share:g} of all requests are to fail, and nothing makes one fail; say what does"
        yield ExperimentError("traffic.fault", f"{seen}, such as {{all: {{headers: {{X-Fail: please}}}}}}")


def _about_fault(traffic: Traffic, key: str, overlay: Overlay) -> Problems:
    request = traffic.requests[key]
    path = f"traffic.fault.{key if key in traffic.fault else ALL}"
    try:
        changed, usual = message_of(faulty(request, overlay)), message_of(request)
    except CannotBe as problem:
        yield ExperimentError(f"{path}.{problem.part}", str(problem))
        return
    if changed == usual:
        yield ExperimentError(path, f"leaves {key} as it is, so that it never fails; lay something else over it")
    good = [status for status in request.expect if status >= SERVER_ERRORS]
    if good:
        seen = f"takes {good[0]} for a good answer, so its fault could not be told from one; drop {good[0]}"
        yield ExperimentError(f"{_REQUESTS}.{key}.expect", f"{seen}, or traffic.fault.{key}")


# Values


def _about_values(traffic: Traffic) -> Problems:
    """Placeholders that nothing can have a value for; columns are checked when the feed is read."""
    if traffic.feed is None:
        yield from _unknown(traffic, (), "no feed is given; name a file in traffic.feed")


def about_feed(traffic: Traffic, feed: Feed) -> Problems:
    """Everything that is wrong between the requests and their feed."""
    yield from _unknown(traffic, feed.columns, f"{feed.source} has the columns {', '.join(feed.columns)}")


def _unknown(traffic: Traffic, columns: tuple[str, ...], why: str) -> Problems:
    for key, request in traffic.requests.items():
        if len(request.methods) == 1:
            yield from _unknown_in(traffic, key, columns, why)


def _unknown_in(traffic: Traffic, key: str, columns: tuple[str, ...], why: str) -> Problems:
    try:
        named = tuple(named_in(traffic, key))
        asked = [piece.placeholder.name for piece in expected_of(traffic.requests[key]) if isinstance(piece, Hole)]
    except CannotBe:
        return  # told already
    known = {*columns, *taken_before(traffic, key)}
    for name in dict.fromkeys(named):
        if name not in known:
            yield ExperimentError(f"{_REQUESTS}.{key}", f"{{{{{name}}}}} has no column: {why}")
    for name in asked:
        if name not in columns:
            yield ExperimentError(f"{_REQUESTS}.{key}.check", f"{{{{{name}}}}} has no column: {why}")


def taken_before(traffic: Traffic, key: str) -> set[str]:
    """The values that every flow with this step has taken before it; none where it is sent by itself."""
    flows = [flow for flow in traffic.flow.values() if key in flow.steps]
    if not flows or weight_of(traffic, key):
        return set()
    return set.intersection(*(_taken(traffic.requests, flow.steps[: flow.steps.index(key)]) for flow in flows))


def _taken(requests: Mapping[str, Request], steps: Iterable[str]) -> set[str]:
    return {name for step in steps if step in requests for name in requests[step].take}
