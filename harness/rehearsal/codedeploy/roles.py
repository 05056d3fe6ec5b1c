"""What a service role may ask of Lambda before it is throttled."""

from harness.rehearsal.admission import Throttle, TokenBucket
from harness.rehearsal.codedeploy.timing import ROLE_BURST, ROLE_RATE


class RoleLimits:
    """A bucket of deployments for each service role."""

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}

    def admits(self, role: str, at_s: float) -> bool:
        """Whether Lambda answers CodeDeploy, which starts one more deployment under this role."""
        if role not in self._buckets:
            self._buckets[role] = TokenBucket(Throttle(ROLE_RATE, ROLE_BURST), at_s)
        return self._buckets[role].admits(at_s)
