"""`sandbook plan`: what would run and where, without asking any service."""

from __future__ import annotations

import click

from sandbook.cli import _options as options

NO_PROVIDER = 3


@click.command(short_help="Say what would run, and where; nothing runs.")
@click.argument("file")
@options.input_option
@options.inputs_option
@options.provider_option
@options.env_file_option
@options.json_option
def plan(
    file: str,
    *,
    given: dict[str, str],
    input_files: tuple[str, ...],
    providers: tuple[str, ...],
    env_file: options.FilePath | None,
    as_json: bool,
) -> int:
    """Say what would run, and where; nothing runs. `-` is stdin."""
    # The loader and the plugins, which `--help` does not need.
    from sandbook.cli._opening import Calling, gather_inputs, open_books, resolve
    from sandbook.cli._planning import is_possible, plan_object, plan_words
    from sandbook.cli._secrets import environ_with
    from sandbook.cli._words import say, say_json
    from sandbook.plan import make_plan

    calling = Calling(environ=environ_with(env_file), providers=providers)
    (opened,) = open_books((file,), calling)
    inputs = resolve(opened.book, gather_inputs(input_files, given, beside=(file,)))
    installation = opened.installation
    made = make_plan(opened.book, installation.verbs, installation.chain)
    if as_json:
        say_json("plans", [plan_object(made, inputs)])
    else:
        say(*plan_words(made, inputs))
    return 0 if is_possible(made) else NO_PROVIDER
