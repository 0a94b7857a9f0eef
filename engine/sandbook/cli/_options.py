"""Options that several commands share, and how texts become their values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from sandbook.units import parse_duration, parse_terminal_size

FilePath = Path

Command = TypeVar("Command", bound=Callable[..., object])


def duration(text: str) -> float:
    """Seconds, written with a unit; a type of click."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def terminal_size(text: str) -> tuple[int, int]:
    """Columns and rows, as 100x30; a type of click."""
    try:
        return parse_terminal_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def name_value(text: str) -> tuple[str, str]:
    """`NAME=VALUE` as a pair, split at the first `=`; a type of click."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def files_argument(command: Command) -> Command:
    """`FILE…`, where `-` is stdin."""
    return click.argument("files", metavar="FILE...", nargs=-1, required=True)(command)


def provider_option(command: Command) -> Command:
    """`--provider`."""
    return click.option(
        "--provider",
        "providers",
        metavar="NAME[,NAME]",
        multiple=True,
        callback=_split_names,
        help="Providers to try, in this order.",
    )(command)


def input_option(command: Command) -> Command:
    """`-i NAME=VALUE`."""
    return click.option(
        "-i",
        "--input",
        "given",
        metavar="NAME=VALUE",
        type=name_value,
        multiple=True,
        callback=as_map,
        help="An input of the runbook.",
    )(command)


def inputs_option(command: Command) -> Command:
    """`--inputs FILE`."""
    return click.option(
        "--inputs",
        "input_files",
        metavar="FILE",
        multiple=True,
        help="Inputs from a YAML or JSON map; `-` is stdin. The last file wins, -i "
        "over all.",
    )(command)


def env_file_option(command: Command) -> Command:
    """`--env-file`."""
    return click.option(
        "--env-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Variables for secrets and credentials; they win over those set.",
    )(command)


def unisolated_option(command: Command) -> Command:
    """`--allow-unisolated`."""
    return click.option(
        "--allow-unisolated",
        is_flag=True,
        help="Accept a provider that isolates nothing.",
    )(command)


def metadata_option(command: Command) -> Command:
    """`-m KEY=VALUE`."""
    return click.option(
        "-m",
        "--metadata",
        metavar="KEY=VALUE",
        type=name_value,
        multiple=True,
        callback=as_map,
        help="Only sandboxes with this metadata. Repeatable.",
    )(command)


def within_option(command: Command) -> Command:
    """`--within`."""
    return click.option(
        "--within",
        metavar="TIME",
        type=duration,
        help="Wait no longer for a provider's answer than this (20s).",
    )(command)


def _split_names(
    _ctx: click.Context, _param: click.Parameter, written: tuple[str, ...]
) -> tuple[str, ...]:
    names = (name.strip() for text in written for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def as_map(
    _ctx: click.Context, param: click.Parameter, pairs: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    """Pairs as a map; a name that is given twice is refused."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise click.BadParameter(f"{name!r} is given twice", param=param)
        given[name] = value
    return given
