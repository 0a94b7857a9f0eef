"""Python cells as in a notebook, where the sandbox's python3 has IPython.

Loaded behind `python_cells` and into its names, so that those are there without being
imported. Magics, `!commands`, IPython's own `display` and figures are had then; what a
cell tells is the same.
"""

from __future__ import annotations

import os
import tempfile

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from sandbook.drivers.programs.python_cells import Cells, with_json

# The field's own packages are not typed where we meet them: their classes are open.
# mypy: disable-error-code="misc, no-untyped-call, no-any-return, override"
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportUntypedBaseClass=false
# pyright: reportIncompatibleMethodOverride=false, reportOptionalMemberAccess=false

_INLINE = "module://matplotlib_inline.backend_inline"


class Publisher(DisplayPublisher):
    """Tells what a cell shows."""

    def publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        """Tell it."""
        CELLS.show(data, main=False)

    def clear_output(self, *_: Any, **__: Any) -> None:
        """What was told cannot be taken back."""


class Hook(DisplayHook):
    """Tells the value of a cell."""

    def write_output_prompt(self) -> None:
        """None is wanted."""

    def compute_format_data(self, result: object) -> Any:
        """What the value looks like, by MIME type."""
        data, more = super().compute_format_data(result)
        return with_json(data, result), more

    def write_format_data(self, format_dict: Any, *_: Any) -> None:
        """Tell it."""
        CELLS.show(format_dict, main=True)


class Shell(InteractiveShell):
    """A shell that tells no failures itself, and that `exit()` does not end."""

    displayhook_class = Type(Hook)
    display_pub_class = Type(Publisher)

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """Whoever runs a cell tells it."""

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """As above."""

    def showindentationerror(self, *_: Any, **__: Any) -> None:
        """As above."""

    def ask_exit(self) -> NoReturn:
        """End the cell, as `sys.exit` does."""
        raise SystemExit

    def enable_gui(self, *_: Any) -> None:
        """There is none."""


class NotebookCells(Cells):
    """The user's variables, in IPython's hands."""

    def __init__(self) -> None:
        super().__init__()
        os.environ.setdefault("MPLBACKEND", _INLINE)
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.enable_tip = False
        # Its own folder: none is made in the home.
        folder = tempfile.mkdtemp(prefix="sandbook-ipython-")
        self.shell = Shell.instance(
            config=config, ipython_dir=folder, user_module=self.main
        )
        self.names = self.shell.user_ns

    def execute(self, source: str, _name: str) -> None:
        """Run it; raises what it raised."""
        done = self.shell.run_cell(source, store_history=True)
        error = done.error_before_exec or done.error_in_exec
        if error is not None:
            raise error

    def show_figures(self) -> None:
        """IPython has shown them."""


CELLS = NotebookCells()
