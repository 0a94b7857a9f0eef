"""Order, time, retries, cancellation, teardown: one execution of a runbook."""

from sandbook.runner._context import RunRequest
from sandbook.runner._run import borrow_sandbox, execute

__all__ = ["RunRequest", "borrow_sandbox", "execute"]
