# ruff: noqa: S101 - checks are assertions
"""A: what is told of a provider before it is used."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from collections.abc import Iterable, Sequence

import jsonschema

from sandbook.api import API_VERSION, JSON, ExecRequest, SandboxRef, is_capability
from sandbook.errors import ProviderError, SandboxGone
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, skip
from sandbook.testing._subject import resolve

OURS = frozenset({"sandbook", "tests", "anyio", "pluggy", "sniffio", "idna"})
"""What every process of the engine has loaded anyway, and the tests' own folder."""

CPU_SECONDS = 0.05


@check("A01")
async def describing_the_provider_imports_no_sdk_and_is_light(kit: Kit) -> None:
    told = [await kit.elsewhere("describe") for _ in range(3)]
    own = kit.subject.provider.partition(":")[0].partition(".")[0]
    allowed = OURS | sys.stdlib_module_names | {own}
    modules = _texts(told[0]["modules"])
    sdk = kit.options.sdk.modules if kit.options.sdk else ()
    loaded = [name for name in modules if name.startswith(tuple(sdk))] if sdk else []
    assert not loaded, f"importing {kit.subject.provider!r} imports {loaded}"
    foreign = sorted({name.partition(".")[0] for name in modules} - allowed)
    assert not foreign, f"importing {kit.subject.provider!r} imports {foreign}"
    seconds = min(float(str(one["seconds"])) for one in told)
    assert seconds < CPU_SECONDS, f"it takes {seconds:.3f} s of CPU"


@check("A02")
async def the_api_version_is_one_we_speak(kit: Kit) -> None:
    info = kit.subject.info
    assert info.api_version == API_VERSION
    assert info.name
    assert info.name == info.name.strip().lower()
    assert info.summary


@check("A03")
async def capabilities_are_told_without_touching_anything(kit: Kit) -> None:
    told = await kit.elsewhere("capabilities")
    assert told["same"], "the second answer differs from the first"
    assert told["touched"] == []
    have = kit.capabilities
    assert all(is_capability(name) for name in have.native | have.emulated)


@check("A04")
async def an_unknown_setting_is_refused_by_its_name(kit: Kit) -> None:
    schema = dict(kit.subject.info.settings_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert _told(validator, dict(kit.subject.settings.values)) == []
    told = _told(validator, {"timeout_msx": 1})
    assert any("timeout_msx" in message for message in told), told


def _told(
    validator: jsonschema.Draft202012Validator, values: dict[str, JSON]
) -> list[str]:
    errors = validator.iter_errors(values)  # pyright: ignore[reportUnknownMemberType]  # of the stubs
    return [str(error.message) for error in errors]


@check("A05")
async def a_missing_credential_is_named_without_asking_anybody(kit: Kit) -> None:
    credentials = kit.subject.info.credentials
    if not credentials:
        skip("it needs no credentials")
    bare = Kit(kit.subject.with_environ({}), folder=kit.folder)
    told = await bare.elsewhere("preflight", blocked=[])
    assert told["state"] == "not_configured"
    assert any(name in str(told["text"]) for name in credentials), told["text"]
    assert told["touched"] == []
    assert float(str(told["seconds"])) < 1.0


@check("A05b", needs=["exec"])
async def preflight_says_ready_where_sandboxes_can_be_made(kit: Kit) -> None:
    told = await kit.provider.preflight(live=True)
    assert told.state == "ready", f"{told.state}: {told.message}; {told.remedy}"
    assert told.latency is None or told.latency >= 0


@check("A06")
async def a_missing_sdk_is_told_with_the_pip_command(kit: Kit) -> None:
    sdk, extra = kit.options.sdk, kit.subject.info.extra
    if sdk is None:
        skip("it has no SDK")
    told = await kit.elsewhere("preflight", blocked=list(sdk.modules))
    assert told["state"] == "not_installed"
    wanted = f"sandbook[{extra}]" if extra else "pip install"
    assert wanted in str(told["text"])


@check("A07")
async def every_error_of_the_sdk_has_its_own_meaning(kit: Kit) -> None:
    sdk = kit.options.sdk
    if sdk is None or sdk.errors is None or sdk.translate is None:
        skip("it has no SDK")
    translate = resolve(sdk.translate)
    assert callable(translate)
    kinds = _exceptions(vars(importlib.import_module(sdk.errors)).values())
    assert kinds, f"{sdk.errors} exports no exceptions"
    unmapped: list[str] = []
    for kind in kinds:
        told: object = translate(kind.__new__(kind))
        if not isinstance(told, ProviderError) or type(told) is ProviderError:
            unmapped.append(kind.__name__)
    assert unmapped == []


def _exceptions(values: Iterable[object]) -> list[type[Exception]]:
    return [v for v in values if inspect.isclass(v) and issubclass(v, Exception)]


@check("A08", needs=["exec"])
async def no_secret_is_seen_in_texts_logs_or_errors(kit: Kit) -> None:
    secret = kit.name("canary")
    names = (*kit.subject.info.credentials, "SANDBOOK_KIT_CANARY")
    environ = {"SANDBOOK_KIT_CANARY": secret, **kit.subject.settings.environ}
    heard = _Heard()
    logging.getLogger().addHandler(heard)
    try:
        other = Kit(kit.subject.with_environ(environ), folder=kit.folder)
        spec = other.spec(env={"TOKEN": secret})
        box = kit.keep(await other.provider.create(spec, key=kit.name("key")))
        request = ExecRequest(program=("true",), key=kit.name("run"))
        result = await (await box.start(request)).wait()
        gone = SandboxRef(
            provider=box.ref.provider,
            id=kit.name("none"),
            created_at=box.ref.created_at,
        )
        with fails(SandboxGone) as caught:
            await other.provider.attach(gone)
        error = caught.error
        texts = [repr(v) for v in (other.provider, box, spec, result, error)]
        texts += [str(error), error.remedy, repr(await box.info()), *heard.texts]
    finally:
        logging.getLogger().removeHandler(heard)
    secrets = {secret, *(v for n in names if (v := environ.get(n)))}
    seen = [text for text in texts for value in secrets if value in text]
    assert seen == []


class _Heard(logging.Handler):
    """Every log record of the time it is installed."""

    def __init__(self) -> None:
        super().__init__(level=0)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.getMessage()} {record.args!r}")


def _texts(value: JSON) -> list[str]:
    assert isinstance(value, Sequence)
    return [str(item) for item in value]
