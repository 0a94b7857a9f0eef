"""A runbook has one report, wherever it ran, but for what is permitted to differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from sandbook.api import JSON, SandboxSpec, Settings
from sandbook.testing.reports import PERMITTED, normalise_report, permitted_table
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.cli.loaded import ROOT, Loaded
from tests.runner.package_index import package_index
from tests.sandbook_e2b.calls import Cli
from tests.servers.conftest import E2B_KEY
from tests.servers.e2b.server import E2BServer
from tests.servers.running import running

README = ROOT / "plugins" / "README.md"
SECRETS = {"LICENCE_KEY": "ABCD-1234-EFGH"}
BOOKS = sorted((ROOT / "runbooks").glob("*.yaml"))
ELSEWHERE = {"environment", "sales"}
"""Need an index of packages, and IPython; each has a test of its own."""


@pytest.mark.parametrize(
    "path", [p for p in BOOKS if p.stem not in ELSEWHERE], ids=lambda path: path.stem
)
def test_an_example_has_the_same_report_at_e2b(cli: Cli, path: Path) -> None:
    cli.environ.update(SECRETS)
    _have_one_report(cli, str(path))


def _have_one_report(cli: Cli, path: str, *, local: Sequence[str] = ()) -> None:
    """Run it here, where it may need flags of its own, and at E2B."""
    reports: dict[str, Mapping[str, JSON]] = {}
    for provider, flags in (("local", local), ("e2b", ())):
        ran = cli("run", path, "--provider", provider, *flags)
        assert ran.code == 0, ran.out + ran.err
        assert ran.report is not None
        assert {box.provider for box in ran.report.sandboxes} == {provider}
        reports[provider] = ran.report.to_json()
    assert reports["local"] != reports["e2b"]
    assert normalise_report(reports["e2b"]) == normalise_report(reports["local"])


class _WithIPython(LocalProvider):
    """Sandboxes whose python3 has IPython, as that of E2B's template has."""

    async def create(self, spec: SandboxSpec, *, key: str) -> LocalSandbox:
        packages = find_spec("IPython")
        assert packages is not None
        assert packages.origin is not None
        env = {**spec.env, "PYTHONPATH": str(Path(packages.origin).parents[1])}
        return await super().create(replace(spec, env=env), key=key)


def test_the_example_of_code_cells_has_the_same_report_at_e2b(
    warm: Loaded, tmp_path: Path
) -> None:
    settings = Settings(state=tmp_path / "s", cache=tmp_path / "c")
    with running(E2BServer(_WithIPython(settings), keys=[E2B_KEY])) as server:
        _have_one_report(
            Cli(warm, server, tmp_path), str(ROOT / "runbooks" / "sales.yaml")
        )
        server.check_clean()


class _OnThisNetwork(LocalProvider):
    """Sandboxes that reach our index, which is on this computer."""

    async def create(self, spec: SandboxSpec, *, key: str) -> LocalSandbox:
        return await super().create(replace(spec, network="host"), key=key)


def test_the_example_of_packages_has_the_same_report_at_e2b(
    warm: Loaded, tmp_path: Path
) -> None:
    values = {"allow_host_network": True}
    settings = Settings(state=tmp_path / "s", cache=tmp_path / "c", values=values)
    book = ROOT / "runbooks" / "environment.yaml"
    with (
        package_index(tmp_path / "index") as url,
        running(E2BServer(_OnThisNetwork(settings), keys=[E2B_KEY])) as server,
    ):
        cli = Cli(warm, server, tmp_path / "project")
        cli.folder.mkdir()
        # A project of its own: only there may a sandbox use this computer's network.
        (cli.folder / "sandbook.yaml").write_text(
            "settings: {local: {allow_host_network: true}}\n"
        )
        cli.environ.update({"PIP_INDEX_URL": url, "SANDBOOK_CACHE": str(tmp_path)})
        (cli.folder / "environment.yaml").write_text(
            book.read_text().replace("default: humanize", "default: sandbook-tiny")
        )
        _have_one_report(cli, "environment.yaml", local=("--allow-host-network",))
        server.check_clean()


def test_what_is_not_permitted_to_differ_is_seen(cli: Cli) -> None:
    ran = cli("run", str(ROOT / "runbooks" / "two_sandboxes.yaml"))
    assert ran.report is not None
    report = ran.report.to_json()
    normal = normalise_report(report)
    seen = [
        path for path, other in _changed(report) if normalise_report(other) != normal
    ]
    for needed in ("status", "exit", "steps[].attempts[].results.stdout", "cause"):
        assert needed in seen, seen
    unseen = {path for path, _ in _changed(report)} - set(seen)
    assert unseen == {
        path for path in unseen if any(each.fits(path) for each in PERMITTED)
    }


def _changed(report: Mapping[str, JSON]) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """The report once for each of its values, with that one changed."""
    text = json.dumps(report)
    for path, keys in _leaves(report, "", ()):
        other = json.loads(text)
        place = other
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = ["another"]
        yield path, other


def _leaves(
    value: JSON, path: str, keys: tuple[str | int, ...]
) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}".lstrip("."), (*keys, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[]", (*keys, number))
    else:
        yield path, keys


def test_the_list_of_what_may_differ_is_in_the_docs() -> None:
    assert permitted_table() in README.read_text(encoding="utf-8")
