"""A process that used the SDK ends as it should: no native thread is cut off in it."""

from __future__ import annotations

import subprocess
import sys

# A thread that `threading` does not know, as those of the SDK's HTTP client are.
_PROGRAM = """
import _thread, threading, time
from sandbook_e2b.leaving import leave_in_peace

begun = threading.Event()

def tell() -> None:
    begun.set()
    time.sleep({seconds})
    print("told", flush=True)

{call}
_thread.start_new_thread(tell, ())
begun.wait()
"""


def _printed(call: str, *, seconds: float = 0.2) -> str:
    program = _PROGRAM.format(call=call, seconds=seconds)
    ended = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True, check=True
    )
    return ended.stdout + ended.stderr


def test_a_native_thread_that_is_still_telling_is_waited_for() -> None:
    assert _printed("pass") == ""
    assert _printed("leave_in_peace()") == "told\n"


def test_a_native_thread_that_never_ends_is_not_waited_for_long() -> None:
    assert _printed("leave_in_peace()", seconds=600) == ""
