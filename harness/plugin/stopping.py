"""Stopping the users of a process once, whoever asks and how often.

Locust stops users in the greenlet that asks. If two ask at the same time (its own end of a `LoadTestShape` and ours, or
a master's message and ours) each user is stopped twice, which raises an error for each. A user that asks is killed by
its own stop, before the others have stopped.
"""

from typing import Any

import gevent


class OneStop:
    """Has a runner stop in a greenlet of its own, for which all who ask wait; a user only asks, and is stopped too."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._stop, self._quit = runner.stop, runner.quit
        self._stopping: gevent.Greenlet | None = None
        runner.stop, runner.quit = self.stop, self.quit

    def stop(self) -> None:
        """Stops the test."""
        if gevent.getcurrent() is self._stopping:
            self._stop()  # a listener of the stop asks again: Locust itself knows that it has stopped
            return
        if self._stopping is None or self._stopping.ready():
            self._stopping = gevent.spawn(self._stop)
        if not self._asked_by_user():
            self._stopping.join()

    def quit(self) -> None:
        """Stops the test, and Locust."""
        if self._asked_by_user():
            gevent.spawn(self._quit)
        else:
            self._quit()

    def _asked_by_user(self) -> bool:
        return gevent.getcurrent() in self._runner.user_greenlets
