"""The SDK is loaded with room for many sandboxes, and nobody else hears of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
from sandbook_e2b.loading import load_client
load_client()
from e2b.api import max_connections
print(max_connections, os.environ.get("E2B_MAX_CONNECTIONS"))
"""


@pytest.mark.parametrize(
    ("said", "told"), [({}, "10000 None\n"), ({"E2B_MAX_CONNECTIONS": "7"}, "7 7\n")]
)
def test_there_are_connections_for_as_many_sandboxes_as_there_may_be(
    said: dict[str, str], told: str
) -> None:
    kept = {k: v for k, v in os.environ.items() if k != "E2B_MAX_CONNECTIONS"}
    done = subprocess.run(
        (sys.executable, "-c", SCRIPT),
        env={**kept, **said},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == told
