"""The checks that are about keys and libraries, against a provider that has both."""

from sandbook.testing import conformance

OPTIONS = conformance.Options(
    wrong_credentials={"LOCKED_KEY": "wrong"},
    sdk=conformance.Sdk(
        modules=("tests.providers.locked_sdk",),
        errors="tests.providers.locked_sdk",
        translate="tests.providers.locked:translate",
    ),
)

_all: dict[str, object] = {}
conformance.install(
    _all,
    provider="tests.providers.locked:INFO",
    environ={"LOCKED_KEY": "right"},
    options=OPTIONS,
)
globals().update(
    {
        name: test
        for name, test in _all.items()
        if name.startswith(("test_a0", "test_b16"))
    }
)
