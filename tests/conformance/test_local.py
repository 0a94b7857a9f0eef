"""The kit against the local provider, on real sandboxes of this computer."""

from sandbook.testing import conformance
from tests.conformance import keeping

conformance.install(
    globals(),
    provider="sandbook_local:INFO",
    results=keeping.results(),
    limits=keeping.LOCAL,
)
