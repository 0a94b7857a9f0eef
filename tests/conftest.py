"""How the whole suite runs."""

from __future__ import annotations

from hypothesis import settings

# The checkout may belong to somebody else: nothing is written into it.
settings.register_profile("suite", database=None, deadline=None)
settings.load_profile("suite")
