"""`sandbook …` whose journal reaches the disk when the system likes."""

import sys

from sandbook import journal
from sandbook.cli import main


def _leave_it(_descriptor: int) -> None:
    return


if __name__ == "__main__":
    # There is no switch, and there shall be none: a run that a power cut may forget
    # keeps no promise. Here it is what is measured.
    journal._sync_file = _leave_it  # pyright: ignore[reportPrivateUsage]
    sys.exit(main(sys.argv[1:]))
