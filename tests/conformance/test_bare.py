"""The kit against the bare provider: what is not about isolation holds there."""

from sandbook.testing import conformance

conformance.install(
    globals(),
    provider="tests.providers.bare:INFO",
    options=conformance.Options(denied="/etc/shadow"),
)
