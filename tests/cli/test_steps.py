"""`sandbook steps`: the verbs, and what one of them takes."""

from __future__ import annotations

from sandbook.verbs import sandbook_verbs
from tests.cli.calls import Cli

PLUGIN = """
    from sandbook.api import Outcome, VerbSpec, hookimpl

    class Greet:
        spec = VerbSpec(
            name="greet", summary="say hello",
            value={"type": "string", "x-kind": "text"},
            keys={"loud": {"type": "boolean", "description": "whether to shout"}},
        )

        def requires(self, args):
            return frozenset()

        async def run(self, step):
            return Outcome()

    @hookimpl
    def sandbook_verbs():
        return [Greet()]
"""


def test_the_list_has_each_verb_with_its_summary(cli: Cli) -> None:
    called = cli("steps")
    assert (called.code, called.err) == (0, "")
    lines = called.out.splitlines()
    assert lines[0].split() == ["VERB", "DOES"]
    names = [line.split()[0] for line in lines[1 : len(sandbook_verbs()) + 1]]
    assert names == [verb.spec.name for verb in sandbook_verbs()]
    assert "sandbook steps VERB" in lines[-1]


def test_a_verb_is_told_in_plain_words(cli: Cli) -> None:
    out = cli("steps", "write").out
    assert out.startswith("write: Write a file in the sandbox.\n\nKeys\n")
    assert "  write (text, required)\n" in out
    assert "  mode (file mode, default 0644)\n" in out
    assert "  timeout is 10m without it\n" in out
    assert "  size: bytes written\n" in out
    assert out.endswith("  - write: conf/app.ini\n    content: debug = true\n")


def test_keys_within_keys_are_told(cli: Cli) -> None:
    assert "  ready.within (duration, default 60s)\n" in cli("steps", "command").out


def test_an_unknown_verb_is_answered_with_the_nearest(cli: Cli) -> None:
    called = cli("steps", "wirte")
    assert (called.code, called.out) == (2, "")
    assert called.err == "error: there is no verb 'wirte'\n  did you mean 'write'?\n"


def test_programs_get_the_same_as_rows(cli: Cli) -> None:
    rows = cli("steps", "--json").rows("steps")
    assert {row["name"] for row in rows} == {v.spec.name for v in sandbook_verbs()}
    (row,) = cli("steps", "command", "--json").rows("steps")
    shell = next(key for key in row["keys"] if key["path"] == "shell")
    assert shell == {
        "path": "shell",
        "type": "bash or sh",
        "required": False,
        "default": "bash",
        "description": "Which shell reads the text.",
        "examples": ["sh"],
    }
    assert "exit" in row["expect"]
    assert row["fields"]["exit"] == "exit code"


def test_the_verb_of_a_plugin_is_listed_and_explained(cli: Cli) -> None:
    cli.plugin("greeting", code=PLUGIN, group="sandbook")
    assert "greet " in cli("steps").out
    out = cli("steps", "greet").out
    assert "  loud (true or false)\n      Whether to shout.\n" in out
