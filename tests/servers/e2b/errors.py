"""Errors as the service tells them."""

from __future__ import annotations


class ApiError(Exception):
    """An HTTP status and a message, as the control API and envd's files answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
