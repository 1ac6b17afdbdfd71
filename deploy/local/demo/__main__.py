"""The command line: python -m demo [--keep]."""

import sys

from demo.cli import main

sys.exit(main())
