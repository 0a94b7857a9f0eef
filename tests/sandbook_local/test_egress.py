"""Whether a sandbox has the way out that was asked for, or is refused."""

from __future__ import annotations

import os
from pathlib import Path

import jsonschema
import pytest

from sandbook.api import SandboxSpec, Settings
from sandbook.errors import SpecRejected
from sandbook_local import INFO, causes, plans
from sandbook_local.launch import Refused, launch
from sandbook_local.provider import LocalProvider
from tests.sandbook_local.conftest import argv, processes_with, text_of, until

pytestmark = pytest.mark.anyio

_ASK = """
import http.client, sys
proxy = http.client.HTTPConnection("127.0.0.1", 3128, timeout=3)
try:
    proxy.request("GET", f"http://{sys.argv[1]}/")
    answer = proxy.getresponse()
    print(answer.status, answer.read().decode().strip())
except TimeoutError:
    print("on its way")
"""
_PRIVATE = "10.255.254.253"


async def _asked(settings: Settings, spec: SandboxSpec) -> str:
    provider = LocalProvider(settings)
    sandbox = await provider.create(spec, key="asked")
    try:
        return await text_of(sandbox, argv("python3", "-c", _ASK, _PRIVATE))
    finally:
        await provider.destroy(sandbox.ref)


async def test_a_host_in_a_private_network_is_reached_only_when_the_settings_name_it(
    tmp_path: Path,
) -> None:
    spec = SandboxSpec(network="egress")
    plain = Settings(state=tmp_path, cache=tmp_path)
    assert (await _asked(plain, spec)).startswith("403")
    values = {"private_hosts": ["other.test", _PRIVATE]}
    named = Settings(state=tmp_path, cache=tmp_path, values=values)
    assert not (await _asked(named, spec)).startswith("403")
    # What a runbook lists is all that it reaches, whatever the settings open.
    listed = SandboxSpec(network=("example.org",))
    assert "not on this sandbox's list" in await _asked(named, listed)


async def test_a_name_that_is_none_is_refused_before_anything_is_made(
    provider: LocalProvider, settings: Settings
) -> None:
    spec = SandboxSpec(network=("é" * 80,))
    with pytest.raises(SpecRejected, match="not a host name") as caught:
        await provider.create(spec, key="refused")
    assert caught.value.remedy
    assert not (settings.state / "sandboxes").exists()


async def test_a_sandbox_whose_proxy_cannot_start_is_refused_with_the_cause(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    plan = plans.compose(SandboxSpec(network="egress"), settings)
    message = plans.finish(plan, folder=folder, record={})
    with pytest.raises(Refused, match="not a host name") as caught:
        # Past the checks of `compose`, so that it is the proxy that cannot start.
        await launch({**message, "allow": ["é" * 80]}, lock=lock, log=tmp_path / "log")
    os.close(lock)
    assert caught.value.stage == "proxy"
    words, remedy = causes.explain(caught.value, causes.this_host())
    assert "network" in words
    assert "not a host name" in words
    assert remedy
    await until(lambda: not folder.exists())
    assert processes_with(str(folder)) == []


@pytest.mark.parametrize("hosts", [["db.internal"], ["10.0.0.7", "fd00::1"]])
def test_the_setting_takes_exact_names(hosts: object) -> None:
    jsonschema.validate({"private_hosts": hosts}, dict(INFO.settings_schema))


@pytest.mark.parametrize(
    "hosts", [["*.internal"], "db.internal", [7], ["10.0.0.0/8"], ["a b"]]
)
def test_the_setting_takes_nothing_else(hosts: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"private_hosts": hosts}, dict(INFO.settings_schema))
