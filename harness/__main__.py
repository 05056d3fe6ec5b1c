"""`python -m harness` is `canary-harness`."""

import sys

from harness.cli import main

sys.exit(main())
