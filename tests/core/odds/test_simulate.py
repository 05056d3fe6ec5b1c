"""Releases that are played at once, against one that is worked out slowly."""

import random
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from harness.core.odds import simulate
from harness.core.odds.setting import Setting
from harness.core.timeline.composites import ChildIs, SomeOf
from tests.core.odds.releases import fault, setting, watch
from tests.core.odds.slow import Account, Minute, rung

RELEASES = 40


def drawn(dice: random.Random) -> Setting:
    """Several alarms of any kind, with a composite over them or none; in traffic that is thin enough for gaps."""
    watches = [_watch(dice, name) for name in "abc"[: dice.randint(1, 3)]]
    made = setting(dice.choice((0.005, 0.03, 0.2)), *watches, fault=fault(dice), usual=dice.choice((None, 0.05)))
    if len(watches) > 1 and dice.random() < 0.5:
        leaves = tuple(ChildIs(dice.choice(("ALARM", "OK")), one.name, dice.random() < 0.2) for one in watches)
        made = replace(made, guards=(SomeOf(dice.randint(1, len(leaves)), leaves),))
    return made


def _watch(dice: random.Random, name: str) -> Any:
    n = dice.randint(1, 4)
    return watch(
        name,
        counts=dice.choice(("all", "canary")),
        threshold=float(dice.randint(1, 3)),
        evaluation_periods=n,
        datapoints=dice.randint(1, n),
        period_s=dice.choice((60, 60, 120)),
        missing=dice.choice(("missing", "ignore", "breaching", "notBreaching")),
    )


def differs(seed: int, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Where the releases of a random setting differ from what comes of each of them, worked out slowly."""
    made, noted = drawn(random.Random(seed)), _Noted()
    noted.note(monkeypatch)
    played = simulate.played(made, RELEASES, np.random.default_rng(seed))
    for release in range(RELEASES):
        told = rung(made, *noted.of(made, release))
        found = float(played.alarm_s[release]), bool(played.at_start[release])
        if not (found[0] == told[0] or abs(found[0] - told[0]) < 1e-6) or found[1] != told[1]:
            return f"{seed}, {release}: {found} or {told}: {made}"
    return None


class _Noted:
    """What was drawn for the releases: delays, minutes and requests."""

    def __init__(self) -> None:
        self._counts: Any = None
        self._delays: Any = None

    def note(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Listens to what is drawn from now on."""
        delays, counts, noted = simulate._delays, simulate.Counts, self

        def noting(*given: Any) -> Any:
            noted._delays = delays(*given)
            return noted._delays

        class Noting(counts):  # type: ignore[misc, valid-type]
            def __init__(self, *given: Any) -> None:
                super().__init__(*given)
                noted._counts = self

        monkeypatch.setattr(simulate, "_delays", noting)
        monkeypatch.setattr(simulate, "Counts", Noting)

    def of(self, made: Setting, release: int) -> tuple[Account, dict[str, list[Minute]]]:
        """The account of one release, and the minutes of each alarm."""
        metric_s, phases_s = self._delays
        phases = {one.name: float(phases_s[release, at]) for at, one in enumerate(made.watches)}
        ends_s = [float(at_s) for at_s in self._counts._edges_s[release, 1:]]
        minutes = {}
        for one in made.watches:
            seen, bad = self._counts.of(one)
            minutes[one.name] = [Minute(float(s), float(b)) for s, b in zip(seen[release], bad[release], strict=True)]
        return Account(ends_s, float(metric_s[release]), phases), minutes


def test_what_is_played_at_once_is_what_comes_of_each_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten random settings: several alarms, periods and composites, with gaps and late metrics."""
    assert [found for seed in range(10) if (found := differs(seed, monkeypatch))] == []


@pytest.mark.soak
def test_what_is_played_at_once_is_what_comes_of_each_of_ten_thousand_releases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 250 settings."""
    assert [found for seed in range(100, 350) if (found := differs(seed, monkeypatch))] == []
