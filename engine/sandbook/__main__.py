"""`python -m sandbook` is the command `sandbook`."""

import sys

from sandbook.cli import main

if __name__ == "__main__":
    sys.exit(main())
