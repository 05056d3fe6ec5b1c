"""What all tests share: the local cloud as fixtures."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["harness.rehearsal.fixtures"]

# How long an example takes says more of the machine than of the code. In CI the same examples are tried every time, so
# that a change and not chance turns it red.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
