"""`python -m harness.plugin` is Locust with the harness in it, whatever locustfile it gets.

Locust puts the working folder ahead of all others before it reads a locustfile: our modules are loaded by then, and no
`xml.py` of somebody's takes the place of Python's. Where a machine gives too little to load them, that is one sentence.
"""

import gc
import sys

from harness.errors import exhausted
from harness.processes import LOCUST_ADDRESSES, check_room
from harness.streams import tell


def main() -> None:
    """Has Locust do all the rest."""
    try:
        check_room(LOCUST_ADDRESSES)
        gc.disable()  # what is loaded stays
        import locust.main

        import harness.plugin.plugin  # noqa: F401 - importing it is what makes Locust play experiments

        gc.enable()
        locust.main.main()
    except Exception as error:  # outermost frame: memory that runs out comes in many kinds of failure
        lack = exhausted(error)
        if lack is None:
            raise
        tell(f"canary-harness: {lack}")
        sys.exit(lack.exit_code)


if __name__ == "__main__":
    main()
