"""What a person changes in Locust's web form while a test lasts."""

import logging
from collections.abc import Callable
from typing import Any

from harness.core.experiment.rates import worded
from harness.core.experiment.types import Traffic
from harness.errors import HarnessError
from harness.plugin import options
from harness.run.by_hand import ByHand

WEB_FORM = "the web form"
CHANGEABLE = ("canary_error_share", "canary_arrival_rate", "canary_pattern")

log = logging.getLogger(__name__)


class WebForm:
    """Passes on to a run what the form asks for; `given` are Locust's options, which the form changes."""

    def __init__(self, given: Any, by_hand: ByHand, traffic: Traffic) -> None:
        self._given = given
        self._by_hand = by_hand
        self._traffic = traffic
        self._asked = self._asks()

    def check(self) -> None:
        """Has the run do what is asked for now, where that is not what was asked before."""
        if self._asks() == self._asked:
            return
        self._asked = self._asks()
        try:
            traffic = options.settings_of(self._given).experiment.traffic
        except HarnessError as error:
            log.error("%s", error)
            return
        before, self._traffic = self._traffic, traffic
        self._change(before, traffic)

    def _asks(self) -> tuple[object, ...]:
        return tuple(getattr(self._given, name, None) for name in CHANGEABLE)

    def _change(self, before: Traffic, traffic: Traffic) -> None:
        share, rate, pattern = traffic.error_share, traffic.arrival_rate, traffic.pattern
        if share != before.error_share:
            self._ask("error_share", f"{share:g}", lambda: self._by_hand.set_error_share(share, WEB_FORM))
        if rate != before.arrival_rate:
            self._ask("arrival_rate", worded(rate), lambda: self._by_hand.set_arrival_rate(rate))
        if pattern != before.pattern:
            self._ask("pattern", pattern, lambda: self._by_hand.set_pattern(pattern))

    def _ask(self, what: str, value: str, change: Callable[[], None]) -> None:
        try:
            self._by_hand.ask(what, value, WEB_FORM, change)
        except HarnessError as error:
            log.error("%s", error)
