"""The kit against the local provider, on real sandboxes of this computer."""

from sandbook.testing import conformance

conformance.install(globals(), provider="sandbook_local:INFO")
