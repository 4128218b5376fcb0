"""`python -m stemma` is the `stemma` command."""

import sys

from stemma.cli import main

sys.exit(main())
