"""`python -m harness` is `canary-harness`."""

import sys

from harness.cli.main import main

sys.exit(main())
