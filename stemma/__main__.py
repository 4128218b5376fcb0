"""`python -m stemma` is the `stemma` command."""

import sys

from stemma.cli import main

if __name__ == "__main__":
    sys.exit(main())
