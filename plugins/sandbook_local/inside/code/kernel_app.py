"""The Jupyter kernel of a context: ipykernel's own, with values that come and go.

A request to execute may carry `bind`, values that become variables before the code
runs, and `read`, expressions whose values go back with the reply. Both travel as JSON
beside the code, never as part of it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.error import StdinNotImplementedError
from traitlets import Type, default
from traitlets.config import Config

from sandbook_local.inside import kernel as system
from sandbook_local.inside.code.values import NotJson, to_json

_JSON = "application/json"
_NOBODY = (
    "nobody can answer here: give the value beforehand (`with`), "
    "or run the program in a terminal (`pty`)"
)

# The field's own packages are not typed where we meet them: their classes are open.
# mypy: disable-error-code="misc, no-untyped-call, no-any-return, union-attr, override"
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportUntypedBaseClass=false
# pyright: reportOptionalMemberAccess=false


class DisplayHook(ZMQShellDisplayHook):
    """Gives the value of a cell as JSON, too, where it fits."""

    def compute_format_data(self, result: object) -> Any:
        """What the value looks like, by MIME type."""
        data, metadata = super().compute_format_data(result)
        if _JSON not in data:
            try:
                data[_JSON] = json.loads(to_json(result))
            except (NotJson, ValueError, RecursionError):
                return data, metadata
        return data, metadata


class InteractiveShell(ZMQInteractiveShell):
    """A shell that `exit()` does not end: the context is not the cell's to end."""

    displayhook_class = Type(DisplayHook)

    def init_ipython_dir(self, ipython_dir: str | None) -> None:
        """The kernel's own folder: none is made in the home."""
        del ipython_dir
        super().init_ipython_dir(self.config.BaseIPythonApplication.ipython_dir)

    def ask_exit(self) -> NoReturn:
        """End the cell, as `sys.exit` does."""
        raise SystemExit


class Kernel(IPythonKernel):
    """ipykernel's kernel, with `bind` and `read`."""

    shell_class = Type(InteractiveShell)
    _read: Mapping[str, str] = {}

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Take what comes beside the code, and run it."""
        content = parent["content"]
        self.shell.user_ns.update(content.get("bind", {}))
        self._read = content.get("read", {})
        await super().execute_request(stream, ident, parent)

    async def do_execute(self, *args: Any, **kwargs: Any) -> Any:
        """Run the code, and read what was asked for."""
        reply = await super().do_execute(*args, **kwargs)
        if reply.get("status") == "ok":
            values: dict[str, str] = {}
            for name, expression in self._read.items():
                try:
                    values[name] = self._value(expression)
                except NotJson as error:
                    reply["unread"] = {"name": name, "value": f"{name}: {error}"}
                    break
                except BaseException as error:  # noqa: BLE001 (code of the user's)
                    told = f"{name}: {type(error).__name__}: {error}"
                    reply["unread"] = {"name": name, "value": told}
                    break
            reply["values"] = values
        return reply

    def _value(self, expression: str) -> str:
        source = compile(expression.strip(), "<save>", "eval")
        return to_json(eval(source, self.shell.user_global_ns, self.shell.user_ns))  # noqa: S307 (what the step asks for)

    def raw_input(self, prompt: str = "") -> str:
        """There is nobody."""
        del prompt
        raise StdinNotImplementedError(_NOBODY)

    def getpass(self, prompt: str = "", stream: object = None, **more: Any) -> str:
        """There is nobody."""
        del prompt, stream, more
        raise StdinNotImplementedError(_NOBODY)


class App(IPKernelApp):
    """The kernel as a program that is told everything by whoever forked it."""

    kernel_class = Type(Kernel)
    blocking_class = Type()

    @default("blocking_class")
    def _client(self) -> Any:
        """Loaded with all that starts kernels, so not before somebody asks for it."""
        from jupyter_client.blocking.client import BlockingKernelClient

        return BlockingKernelClient

    @default("ipython_dir")
    def _own_folder(self) -> str:
        """The configured one already where the old value is asked for: none is made."""
        return str(self.config.BaseIPythonApplication.ipython_dir)

    def parse_command_line(self, argv: object = None) -> None:
        """There is none, and to read that takes a fifth of the kernel's start."""

    def load_config_file(self, *args: Any, **kwargs: Any) -> None:
        """Nor one of this computer, whose settings are no business of a sandbox."""

    def init_connection_file(self) -> None:
        """Who connects knows where: no key is written anywhere."""

    def write_connection_file(self, **kwargs: Any) -> None:
        """As above."""

    def init_heartbeat(self) -> None:
        """Its end is heard of from the kernel of this computer."""

    def init_crash_handler(self) -> None:
        """No reports of crashes are written."""


def config(folder: str, *, key: str) -> Config:
    """A kernel whose sockets are in `folder`, and which leaves nothing in the home."""
    made = Config()
    made.IPKernelApp.transport = "ipc"
    made.IPKernelApp.ip = f"{folder}/s"
    for number, name in enumerate(("shell", "iopub", "stdin", "hb", "control"), 1):
        made.IPKernelApp[f"{name}_port"] = number
    made.IPKernelApp.log_level = 50
    made.BaseIPythonApplication.ipython_dir = f"{folder}/ipython"
    made.InteractiveShellApp.exec_PYTHONSTARTUP = False
    made.IPKernelApp.default_extensions = []
    made.HistoryManager.enabled = False
    # It sleeps so that output comes before the reply; ours waits for both.
    made.Kernel._execute_sleep = 0.0  # noqa: SLF001 (there is no other name for it)
    made.Session.key = key.encode()
    return made


def settle(parent: int) -> None:
    """In the child: be a process of one's own, which ends with its parent."""
    os.setsid()
    system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    empty = os.open("/dev/null", os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


def be_kernel(folder: str, *, key: str, cwd: str, env: Mapping[str, str]) -> NoReturn:
    """Turn this process into the kernel of a context."""
    os.chdir(cwd)
    os.environ.update(env)
    # As the interpreter does with what is set before it starts.
    wanted = env.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = ["", *filter(None, wanted)]
    sys.argv = [""]
    for name in [name for name in sys.modules if name.startswith("sandbook_local")]:
        del sys.modules[name]
    os.mkdir(f"{folder}/ipython")  # noqa: PTH102 (as everywhere here)
    made = config(folder, key=key)
    app = App.instance(config=made)
    app.initialize([])
    # By itself it writes a line for each message, and drops it.
    app.log.setLevel(made.IPKernelApp.log_level)
    gc.enable()
    app.start()
    sys.exit(0)
