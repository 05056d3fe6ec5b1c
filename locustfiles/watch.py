"""Watches and judges a canary release under any locustfile's traffic: `locust -f mine.py,locustfiles/watch.py`.

A request may say what it is: `self.client.get(path, context={"intent": "fault", "persona": "beta"})`.
"""

import harness.plugin.plugin  # noqa: F401 - importing it is all
