"""`sandbook run`: runbooks in their order, and one exit code for all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from sandbook.cli import _choosing as choosing
from sandbook.cli import _options as options
from sandbook.cli._reading import reading
from sandbook.cli._reports import report_option, uses_stdout
from sandbook.errors import SandbookError, UsageError

if TYPE_CHECKING:
    from sandbook.api import JSON, RunEnd
    from sandbook.cli._opening import Calling, Opened
    from sandbook.cli._running import Manner
    from sandbook.inputs import Given
    from sandbook.runner import RunRequest

CANCELLED = 130

EXAMPLES = """\b
Examples:
  sandbook run hello.yaml
  sandbook run smoke.yaml -i url=https://example.org -i tries=3
  sandbook run smoke.yaml --inputs staging.yaml --env-file .env
  sandbook run deploy.yaml --provider e2b,local --keep
  sandbook run smoke.yaml --from login --until 7 --watch
  TOKEN=... sandbook run release.yaml --report junit=report.xml
  cat hello.yaml | sandbook run -
"""


class Flags(choosing.Choice):
    """The options of `run`, by the names click gives them."""

    watch: bool

    given: dict[str, str]
    input_files: tuple[str, ...]
    providers: tuple[str, ...]
    keep: bool
    artifacts: Path | None
    secret_files: dict[str, str]
    env_file: Path | None
    teardown_timeout: float
    allow_host_network: bool
    allow_unisolated: bool
    no_quota: bool
    update_snapshots: bool
    reports: tuple[str, ...]
    as_json: bool
    quiet: bool
    verbose: bool


@click.command(short_help="Run runbooks.", epilog=EXAMPLES)
@options.files_argument
@options.input_option
@options.inputs_option
@options.provider_option
@choosing.step_option
@choosing.from_option
@choosing.until_option
@click.option("--watch", is_flag=True, help="Run again whenever a file changes.")
@click.option("--keep", is_flag=True, help="Let the sandboxes live on after the run.")
@click.option(
    "--artifacts",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where artifacts go, instead of the run's own folder.",
)
@click.option(
    "--secret-file",
    "secret_files",
    metavar="NAME=PATH",
    type=options.name_value,
    multiple=True,
    callback=options.as_map,
    help="A secret's value, instead of the variable of its name.",
)
@options.env_file_option
@click.option(
    "--teardown-timeout",
    metavar="DURATION",
    type=options.duration,
    default="30s",
    show_default=True,
    help="The longest that ending the sandboxes may take.",
)
@click.option(
    "--allow-host-network",
    is_flag=True,
    help="Let sandboxes use this computer's own network.",
)
@options.unisolated_option
@click.option(
    "--update-snapshots",
    is_flag=True,
    help="Write the screens that `snapshot` compares with.",
)
@click.option("--no-quota", is_flag=True, help="Count nothing and obey no limit.")
@report_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict only.")
@click.option("-v", "--verbose", is_flag=True, help="Print more than usual.")
def run(files: tuple[str, ...], **flags: Unpack[Flags]) -> int:
    """Run runbooks, one after the other; `-` is stdin."""
    if flags["quiet"] and flags["verbose"]:
        raise UsageError("--quiet and --verbose exclude each other", remedy="use one")
    if flags["watch"]:
        return _watch(files, flags)
    return _run_all(_prepare(files, flags), flags)


def _watch(files: Sequence[str], flags: Flags) -> int:
    if "-" in files or flags["as_json"]:
        other = "--json" if flags["as_json"] else "stdin"
        raise UsageError(
            f"--watch and {other} exclude each other", remedy="leave one of them out"
        )
    # Only who watches needs it.
    from sandbook.cli._watching import keep_running

    return keep_running(
        files, lambda: _prepare(files, flags), lambda ready: _run_all(ready, flags)
    )


def _prepare(files: Sequence[str], flags: Flags) -> list[tuple[Opened, RunRequest]]:
    """Everything that can be wrong with the call, before anything runs."""
    with reading(files):
        # The whole engine, which `--help` does not need.
        from sandbook.cli._opening import gather_inputs, open_books
        from sandbook.runner import RunRequest

        calling = _calling(flags)
        opened = choosing.narrowed(open_books(files, calling), flags)
        given = gather_inputs(flags["input_files"], flags["given"], beside=files)
    inputs, secrets = _values(files, flags, calling.environ, opened, given)
    return [
        (
            each,
            RunRequest(
                runbook=each.book,
                inputs=own_inputs,
                secrets=own_secrets,
                keep=flags["keep"],
                artifacts=_absolute(flags["artifacts"]),
                teardown_timeout=flags["teardown_timeout"],
                host_network=flags["allow_host_network"],
                count_quota=not flags["no_quota"],
                update_snapshots=flags["update_snapshots"],
            ),
        )
        for each, own_inputs, own_secrets in zip(opened, inputs, secrets, strict=True)
    ]


def _values(
    files: Sequence[str],
    flags: Flags,
    environ: Mapping[str, str],
    opened: Sequence[Opened],
    given: Mapping[str, Given | str],
) -> tuple[Sequence[Mapping[str, JSON]], Sequence[Mapping[str, str]]]:
    """Inputs and secrets of each file; a person at the terminal is asked."""
    # As above.
    from sandbook.cli._opening import resolve_all
    from sandbook.cli._secrets import SecretSources, read_secrets, refuse_strange

    books = [each.book for each in opened]
    paths = flags["secret_files"]
    refuse_strange(paths, [name for book in books for name in book.secrets])
    ask = None
    if _may_ask(files, flags):
        from sandbook.cli._asking import ask_inputs, ask_secret

        given, ask = {**given, **ask_inputs(books, given)}, ask_secret
    inputs = resolve_all(books, given)
    sources = SecretSources(files=paths, environ=environ, ask=ask)
    return inputs, [read_secrets(each, sources) for each in opened]


def _may_ask(files: Sequence[str], flags: Flags) -> bool:
    """Whether a person is there to answer, and nothing else comes from stdin."""
    is_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    is_piped = "-" in (*files, *flags["input_files"]) or flags["as_json"]
    return not is_ci and not is_piped and sys.stdin.isatty() and sys.stderr.isatty()


def _calling(flags: Flags) -> Calling:
    # As above.
    from sandbook.cli._opening import Calling
    from sandbook.cli._secrets import environ_with

    return Calling(
        environ=environ_with(flags["env_file"]),
        providers=flags["providers"],
        host_network=flags["allow_host_network"],
        unisolated=flags["allow_unisolated"],
    )


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _run_all(ready: Sequence[tuple[Opened, RunRequest]], flags: Flags) -> int:
    # As above.
    from sandbook.cli._reports import reports_of_actions, wanted_reports, write_reports
    from sandbook.cli._running import Manner, worst
    from sandbook.cli._words import say_object

    named, as_json = flags["reports"], flags["as_json"]
    log = sys.stderr if as_json or uses_stdout(named) else sys.stdout
    # They are those of the project of the first file.
    installation = ready[0][0].installation
    registry, environ = installation.registry, installation.environ
    wanted = [
        *wanted_reports(named, registry, as_json=as_json),
        *reports_of_actions(named, registry, environ, log),
    ]
    manner = Manner(stream=log, level=flags["verbose"] - flags["quiet"])
    ends = _ends(ready, manner)
    if as_json:
        # Formats are of no use to most runs.
        from sandbook.reporters.json import bundle

        say_object(bundle(ends))
    fault = write_reports(wanted, ends, environ)
    return worst([fault, *(end.exit or 0 for end in ends)])


def _ends(
    ready: Sequence[tuple[Opened, RunRequest]], manner: Manner
) -> Sequence[RunEnd]:
    """How each of them ended; after one that was cancelled no other begins."""
    # As above.
    from sandbook.api import RunEnd

    ends: list[RunEnd] = []
    for opened, request in ready:
        if ends and ends[-1].exit == CANCELLED:
            cause = "it did not begin: the run before it was cancelled"
            end = RunEnd(file=str(opened.book.path), exit=CANCELLED, cause=cause)
        else:
            end = _run_one(opened, request, manner)
        ends.append(end)
    return ends


def _run_one(opened: Opened, request: RunRequest, manner: Manner) -> RunEnd:
    # As above.
    from sandbook.api import RunEnd
    from sandbook.cli._main import error_words
    from sandbook.cli._planning import plan_words
    from sandbook.cli._running import run_book
    from sandbook.cli._telling import tell_warnings
    from sandbook.cli._words import warn
    from sandbook.errors import told
    from sandbook.plan import make_plan

    installation = opened.installation
    if manner.level >= 0:
        tell_warnings(opened.book.warnings)
    try:
        plan = make_plan(opened.book, installation.verbs, installation.chain)
    except SandbookError as error:
        warn(*error_words(error))
        file = str(opened.book.path)
        return RunEnd(file=file, exit=error.exit_code, cause=told(error))
    if manner.level > 0:
        warn(*plan_words(plan, request.inputs))
    return run_book(opened, request, manner)
