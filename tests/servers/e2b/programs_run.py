"""`python -m tests.servers.e2b.programs_run MODULE ARG…`: a program of the SDK, run.

The program knows nothing but the SDK. A native thread of the SDK's HTTP client that is
still telling when the interpreter ends aborts it, once in a hundred: what we do about
that in the provider is done here, too, so that a program is judged by what it does.
"""

from __future__ import annotations

import runpy
import sys

from sandbook_e2b.leaving import leave_in_peace

if __name__ == "__main__":
    leave_in_peace()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
