"""The values of a `retry` that may hold expressions."""

from __future__ import annotations

from sandbook.expressions import Template, Value
from sandbook.runbook import Retry


def retry_values(retry: Retry | Template) -> Value:
    """All of them as one value; of one that is an expression, itself."""
    if isinstance(retry, Template):
        return retry
    return (retry.times, retry.wait, retry.backoff, retry.max_wait, retry.jitter)
