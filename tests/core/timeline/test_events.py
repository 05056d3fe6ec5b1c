"""The timeline's lines."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from harness.core.timeline.events import SCHEMA, Entry, Event, Requests, RunStarted, Trouble, decode, encode, skim
from harness.errors import TimelineError

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
PLAIN: dict[type, st.SearchStrategy[Any]] = {
    inspect.StrType: TEXT,
    inspect.IntType: st.integers(-(2**62), 2**62),
    inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
}


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    match kind:
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.UnionType():
            return st.one_of([values(member) for member in kind.types])
        case inspect.VarTupleType():
            return st.lists(values(kind.item_type), max_size=3).map(tuple)
        case inspect.TupleType():
            return st.tuples(*(values(item) for item in kind.item_types))
        case inspect.DictType():
            return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=3)
        case inspect.StructType():
            fields = {field.name: values(field.type) for field in kind.fields}
            if kind.cls is RunStarted:
                fields["schema"] = st.just(SCHEMA)
            return st.builds(kind.cls, **fields)
    return plain(kind)


def plain(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of a type without parts."""
    if isinstance(kind, inspect.IntType) and kind.le is not None:
        return st.integers(kind.ge, kind.le)
    if isinstance(kind, inspect.FloatType) and kind.le is not None:
        return st.floats(kind.ge, kind.le)
    return PLAIN[type(kind)]


KINDS: tuple[type, ...] = get_args(Event)
events = st.sampled_from(KINDS).flatmap(lambda kind: values(inspect.type_info(kind)))


@given(events)
def test_every_event_survives_its_line(event: Event) -> None:
    """Decoding what was encoded gives the same event."""
    line = encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert list(decode([line])) == [event]


def written_kinds(base: type[Entry]) -> set[type[Entry]]:
    """The kinds below a base that others are not built on; what begins with _ is for reading alone."""
    below = base.__subclasses__()
    whole = {kind for kind in below if not kind.__subclasses__() and not kind.__name__.startswith("_")}
    return whole.union(*(written_kinds(kind) for kind in below))


def test_all_kinds_of_events_are_tried() -> None:
    """The property above leaves none out, and each has a tag of its own."""
    assert set(KINDS) == written_kinds(Entry)
    assert len({kind.__struct_config__.tag for kind in written_kinds(Entry)}) == len(KINDS)


def test_line_cut_off_by_a_crash_is_left_out() -> None:
    """What was written whole before it is kept."""
    whole = RunStarted(at_s=0.0, experiment="x", epoch_s=1.0)
    assert list(decode([encode(whole), encode(whole)[:20]])) == [whole]


def test_broken_line_in_the_middle_is_an_error() -> None:
    """A timeline that was tampered with is not judged; the message says which line."""
    whole = encode(Trouble(at_s=0.0, what="x", message="y"))
    with pytest.raises(TimelineError, match="line 2"):
        list(decode([whole, b"{broken}\n", whole]))


@pytest.mark.parametrize("read", [decode, skim])
@pytest.mark.parametrize("number", [b"1000000000000000000", b"-1"])
def test_number_that_no_second_can_hold_is_an_error(read: Any, number: bytes) -> None:
    """Somebody edited the file; no later sum overflows by it."""
    line = b'{"type":"arrivals","at_s":1.0,"planned":%s,"started":1}\n' % number
    with pytest.raises(TimelineError, match=r"line 1: Expected `int` .*planned"):
        list(read([line, b'{"type":"arrivals","at_s":2.0,"planned":1,"started":1}\n']))


@pytest.mark.parametrize("read", [decode, skim])
def test_timeline_of_another_schema_is_refused(read: Any) -> None:
    """A word may mean something else there; the message names both versions."""
    line = encode(RunStarted(at_s=0.0, experiment="x", epoch_s=1.0, schema=2))
    with pytest.raises(TimelineError, match="is of schema 2, and this canary-harness reads schema 1"):
        list(read([line]))


@pytest.mark.parametrize("read", [decode, skim])
@pytest.mark.parametrize("field", ["period_s", "evaluation_periods", "datapoints"])
@pytest.mark.parametrize("count", [0, 10**9])
def test_alarm_that_looks_back_for_years_is_an_error(read: Any, field: str, count: int) -> None:
    """CloudWatch has none; evaluating it would take as many steps."""
    line = b'{"type":"alarm_defined","at_s":1.0,"name":"errors","%s":%d}\n' % (field.encode(), count)
    with pytest.raises(TimelineError, match=field):
        list(read([line, b"{}\n"]))


@pytest.mark.parametrize("read", [decode, skim])
@pytest.mark.parametrize("instant", [b"1e19", b"-1e19", b"1e300"])
def test_instant_beyond_all_time_is_an_error(read: Any, instant: bytes) -> None:
    """Whole seconds as large are no numbers that can be counted with."""
    with pytest.raises(TimelineError):
        list(read([b'{"type":"note","at_s":' + instant + b',"text":"x","by":"y"}\n', b"{}\n"]))


def test_empty_lines_do_not_matter() -> None:
    """Files end in them."""
    assert list(decode([b"\n", b""])) == []


@given(events)
def test_skimming_leaves_out_service_times_alone(event: Event) -> None:
    """A skimmed event is the decoded one in all that is judged."""
    skimmed = next(skim([encode(event)]))
    expected = msgspec.structs.replace(event, service_time={}) if isinstance(event, Requests) else event
    assert skimmed == expected
