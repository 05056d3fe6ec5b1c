"""Those that send, as who directs reaches them: the own process, or the workers of a master."""

from abc import ABC, abstractmethod

from harness.traffic.steering import Steering


class Senders(ABC):
    """What those that send are told."""

    @abstractmethod
    def post(self, worker: str, steering: Steering) -> None:
        """Delivers steering to a worker."""

    @abstractmethod
    def begin(self, steering: Steering) -> None:
        """Tells who sends that a test begins."""

    @abstractmethod
    def end(self) -> None:
        """Gets the last rows of who sends."""

    @abstractmethod
    def check_workers(self) -> None:
        """Takes notice of workers that came or went."""

    def least_users(self) -> int:
        """How many users open arrivals need, so that every sending process has one."""
        return 1
