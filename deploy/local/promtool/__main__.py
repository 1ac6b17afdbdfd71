"""`python -m promtool`: find or build promtool ahead of the tests, and print where it is."""

import sys

from controlplane.errors import BuildError
from controlplane.progress import say
from promtool import Unavailable, ensure_promtool


def main() -> int:
    """Return the exit code; where promtool cannot be had, the tests that need it are skipped, and that is said."""
    try:
        print(ensure_promtool())
    except Unavailable as error:
        say(f"{error}\nThe tests of alerts and dashboard are skipped.")
    except BuildError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
