"""Every public call of the SDK is used by a program, by both of its clients."""

# The second half of the SDK does not say that it has types.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_PROGRAMS = Path(__file__).parent / "programs"

LEFT_OUT = {
    "beta_pause": "the old name of pause, and the same call",
    "get_mcp_token": "it needs the program mcp-gateway and root in the sandbox",
    "get_mcp_url": "as above",
    "connection_config": "what the client was told, not the service",
    "envd_api_url": "as above",
    "envd_direct_url": "as above",
    "sandbox_domain": "as above",
    "default_template": "a constant",
    "default_mcp_template": "a constant",
    "default_sandbox_timeout": "a constant",
    "mcp_port": "a constant",
}
"""Public name of the SDK -> why no program proves it."""

PARTS = ("commands", "pty", "files", "git")
"""Properties of a sandbox that have calls of their own."""


def _used(*, in_async: bool) -> set[str]:
    """`part.call` and `call`, as they stand in functions of one kind."""
    found: set[str] = set()
    for path in _PROGRAMS.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in _inside(tree, in_async=in_async, here=False):
            owner = node.value
            name = getattr(owner, "attr", getattr(owner, "id", ""))
            found |= {node.attr, f"{name}.{node.attr}"}
    return found


def _inside(node: ast.AST, *, in_async: bool, here: bool) -> Iterator[ast.Attribute]:
    for child in ast.iter_child_nodes(node):
        kind = here
        if isinstance(child, ast.AsyncFunctionDef | ast.FunctionDef):
            kind = isinstance(child, ast.AsyncFunctionDef)
        if isinstance(child, ast.Attribute) and kind == in_async:
            yield child
        yield from _inside(child, in_async=in_async, here=kind)


def _calls(client: type) -> set[str]:
    """The public names of a client, and of each part of it."""
    names = {name for name in dir(client) if not name.startswith("_")}
    found = names - set(PARTS)
    for part in PARTS:
        made = getattr(client, part).fget.__annotations__["return"]
        found |= {f"{part}.{n}" for n in dir(made) if not n.startswith("_")}
    return found


@pytest.mark.parametrize("in_async", [False, True], ids=["sync", "async"])
def test_a_program_uses_every_call_of_the_client(*, in_async: bool) -> None:
    # Loaded here: most tests do without it.
    from e2b_code_interpreter import AsyncSandbox, Sandbox

    calls = _calls(AsyncSandbox if in_async else Sandbox)
    assert {"create", "run_code", "commands.run", "git.push"} <= calls
    assert calls - _used(in_async=in_async) - set(LEFT_OUT) == set()


def test_what_is_left_out_is_still_there() -> None:
    from e2b_code_interpreter import AsyncSandbox, Sandbox

    assert set(LEFT_OUT) <= _calls(Sandbox) & _calls(AsyncSandbox)
