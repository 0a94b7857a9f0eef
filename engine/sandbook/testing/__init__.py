"""The conformance kit: proof that a provider keeps the contract.

The author of a provider writes one test module:

```python
from sandbook.testing import conformance

conformance.install(globals(), provider="sandbook_mine:INFO")
```

and `pytest` then runs one test per rule, named after it, as
`test_c31_a_program_that_interrupts_itself_gives_130`. `provider` is the import path of
the `ProviderInfo`, a string, because some checks make the provider again in a new
process. `values`, `environ` or `settings` say what it is made with, `options` what the
kit cannot find out (`conformance.Options`).

A test is skipped only for a capability that is not declared. What is declared and fails
is a failure; what works and is not declared is a warning (`conformance.Undeclared`).
Known deviations are given with a reason, `deviations={"C29": "the vendor's agent …"}`;
they are reported, and fail as soon as the check passes. With `results=folder` every
check leaves its outcome there, and `conformance.report(folder, page)` makes a Markdown
page and JSON of them. The checks marked `stress` move hundreds of megabytes; leave them
out with `-m "not stress"`.

Only this package of the engine imports pytest.
"""

import pytest

# Before the checks are imported, so that a failed one shows both sides.
pytest.register_assert_rewrite("sandbook.testing.checks")
