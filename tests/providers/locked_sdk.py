"""Stands for a vendor's library: three exceptions, and a client that knows its key."""


class WrongKeyError(Exception):
    """The service refused the key."""


class TooManyError(Exception):
    """The service asks to come back later."""


class OutageError(Exception):
    """The service does not answer."""


class Client:
    """Answers only to the right key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def check(self) -> None:
        """Raise as the service would."""
        if self._key != "right":
            raise WrongKeyError
