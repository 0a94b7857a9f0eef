"""What the bare provider does where it declares no other users."""

from sandbook.testing import conformance

_all: dict[str, object] = {}
conformance.install(_all, provider="tests.providers.bare:INFO", values={"users": False})
globals().update({name: test for name, test in _all.items() if "user" in name})
