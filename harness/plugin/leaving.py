"""The end of a test by our own word, and of Locust with it."""

from typing import Any

import gevent
import gevent.event

from harness.plugin.run_codes import RunCodes


class Leaving:
    """Stops a test by our own word, and Locust once its runs have `closed`, unless somebody sits at its web page."""

    def __init__(self, environment: Any, codes: RunCodes, closed: gevent.event.Event) -> None:
        self._environment = environment
        self._options = environment.parsed_options
        self._codes = codes
        self._closed = closed

    def stop_soon(self) -> None:
        """Stops the test in a greenlet of its own."""
        gevent.spawn(self._stop)

    def leave(self) -> None:
        """Has Locust end, once the run has."""
        self._closed.wait()
        self._environment.runner.quit()
        if self._environment.web_ui:
            self._environment.web_ui.stop()

    def _stop(self) -> None:
        if self._environment.web_ui is None:
            self._environment.runner.quit()
            return
        self._environment.runner.stop()
        autoquit = self._options.autoquit if self._options.autostart else -1
        if autoquit != -1 and not self._codes.signal:
            gevent.sleep(autoquit)
        if autoquit != -1 or self._codes.signal:
            self.leave()
