"""A runbook means what its author sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbook.errors import RunbookError
from sandbook.expressions import Scope, ShellText, Template, Value, evaluate
from sandbook.loader import load_runbook, load_text
from sandbook.runbook import Retry, Runbook, Step
from tests.sandbook.reading import load, problems_of
from tests.sandbook.verbs import VERBS

HELLO = """\
runbook: 1
name: Hello
inputs: {who: {default: world}}
steps:
  - id: hi
    command: echo "Hello, ${{ inputs.who }}!"
    expect: {stdout: Hello}
"""


def step(lines: str, top: str = "") -> Step:
    """The one step of a runbook made of these lines."""
    return steps(lines, top)[0]


def steps(lines: str, top: str = "") -> tuple[Step, ...]:
    """The steps of a runbook; each begins with `- `."""
    return load(f"runbook: 1\n{top}steps:\n{lines}", VERBS).steps


def shell(value: Value) -> ShellText:
    """A value that must be a shell text."""
    assert isinstance(value, ShellText)
    return value


def test_the_hello_of_the_language_loads() -> None:
    runbook = load(HELLO, VERBS)
    assert runbook.name == "Hello"
    assert runbook.inputs["who"].default == "world"
    [hi] = runbook.steps
    assert (hi.id, hi.verb, hi.path, hi.at.line) == ("hi", "command", "steps[0]", 5)
    assert shell(hi.args["command"]).text == 'echo "Hello, ${SANDBOOK_V1}!"'
    assert hi.expect == {"stdout": "Hello"}
    assert (hi.timeout, hi.retry, hi.allow_failure) == (600.0, Retry(), False)
    assert runbook.warnings == ()


def test_a_file_is_read_with_its_folder_its_project_and_its_hash(
    tmp_path: Path,
) -> None:
    (tmp_path / "sandbook.yaml").touch()
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    path = folder / "hello.yaml"
    path.write_text(HELLO.replace("name: Hello\n", ""))
    runbook = load_runbook(path, VERBS)
    assert (runbook.name, runbook.folder, runbook.project) == (
        "hello",
        folder,
        tmp_path,
    )
    assert len(runbook.hash) == 64
    assert runbook.hash == load_text(path.read_text(), path, VERBS).hash


def test_without_a_project_local_paths_stay_in_the_folder(tmp_path: Path) -> None:
    assert load_text(HELLO, tmp_path / "f.yaml", VERBS).project == tmp_path


@pytest.mark.parametrize(
    "text", ["3.10", "NO", "0644", "22:22", "on", "2026-09", "~", "null", "1e3", "True"]
)
@pytest.mark.language("§2 texts")
def test_texts_are_as_written(text: str) -> None:
    top = f"env:\n  A: {text}\n"
    runbook = load(f"runbook: 1\n{top}steps:\n  - command: [ls, {text}]\n", VERBS)
    assert runbook.env == {"A": text}
    assert runbook.steps[0].args["command"] == ("ls", text)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3.1", 3.1),
        ("1.0", 1.0),
        ("-3", -3),
        ("0", 0),
        ("12345678901234567890", 12345678901234567890),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("NO", "NO"),
        ("on", "on"),
        ("22:22", "22:22"),
        ("2026-09-01", "2026-09-01"),
        ('"3.10"', "3.10"),
        ("'007'", "007"),
        ("[1, a, {b: 2}]", (1, "a", {"b": 2})),
    ],
)
@pytest.mark.language("§2 free values")
def test_free_values_have_the_types_of_yaml_1_2(written: str, value: Value) -> None:
    found = step(f"  - run_code: x\n    with:\n      a: {written}\n").args["with"]
    assert found == {"a": value}


@pytest.mark.parametrize(
    "written",
    [
        *("3.10", "007", "1e3", "0x1f", "0o17", "+5", ".5", "5.", ".inf", ".nan"),
        *("1.50", "9" * 400, "0.1" + "0" * 20, "-0"),
    ],
)
@pytest.mark.language("§2 free values")
def test_a_number_that_would_not_come_back_is_refused_in_a_free_place(
    written: str,
) -> None:
    text = f"runbook: 1\nsteps:\n  - run_code: x\n    with: {{a: {written}}}\n"
    [problem] = problems_of(text, VERBS)
    assert problem.startswith("SB207 4:15 ")


@pytest.mark.parametrize("written", ["True", "FALSE", "Null"])
def test_words_that_only_some_yaml_tools_convert_are_refused(written: str) -> None:
    text = f"runbook: 1\nsteps:\n  - run_code: x\n    with: {{a: {written}}}\n"
    [problem] = problems_of(text, VERBS)
    assert "could be" in problem


@pytest.mark.parametrize(
    "line",
    [
        "Issue #5: open",
        "say: hi",
        "a: b: c",
        "ends with:",
        "[ -f x ]",
        "{ a; }",
        "*.txt",
        "&& true",
        "! false",
        "% done",
        "@here",
        "- dash",
        "? what",
        "> out",
        "`a`",
        "x, y",
        "'quoted' and more: b"[:0] + "it's: x",
        'say "x: y"',
        "tab\there: x",
        "${{ inputs.a }}: b",
        "# in: ${{ 'a #b' }}"[2:],
    ],
)
@pytest.mark.language(
    "§2 lines of text: the rest of the line", "§2 lines of text: first characters"
)
def test_a_line_of_text_takes_the_rest_of_its_line(line: str) -> None:
    top = "runbook: 1\ninputs: {a: {default: x}}\n"
    text = f"{top}steps:\n  - name: {line}\n    command: x\n"
    label = load(text, VERBS).steps[0].label
    if isinstance(label, Template):
        assert evaluate(label, Scope({"inputs": {"a": "x"}})) in ("x: b", "in: a #b")
    else:
        assert label == line


def test_a_line_of_text_is_taken_at_any_depth_of_a_script() -> None:
    lines = (
        "  - pty: sh\n    script:\n      - see: a: b\n      - choose:\n"
        "          - see: Overwrite [y/N]?: x\n            then: [{enter: y}]\n"
        "          - see: 'done #1'\n            then:\n              - enter: *all\n"
    )
    script = step(lines).args["script"]
    assert script == (
        {"see": "a: b"},
        {
            "choose": (
                {"see": "Overwrite [y/N]?: x", "then": ({"enter": "y"},)},
                {"see": "done #1", "then": ({"enter": "*all"},)},
            )
        },
    )


def test_only_the_keys_that_take_a_line_do() -> None:
    # An input may be called as a key is, and its declaration stays a map.
    runbook = load(
        "runbook: 1\ninputs:\n  name: {default: a}\n  command: {default: b} # why\n"
        "env: {name: x}\nsteps:\n  - command: x\n    env:\n      name: a # b\n",
        VERBS,
    )
    assert list(runbook.inputs) == ["name", "command"]
    assert runbook.steps[0].env == {"name": "a"}
    assert [one.code for one in runbook.warnings] == ["SB406", "SB406"]


def test_what_only_looks_like_a_key_is_left_alone() -> None:
    lines = (
        "  - command: |\n      name: a: b #c\n      see: [x\n"
        "    stdin: 'name: it''s: b\n\n      command: x: y'\n"
    )
    found = step(lines)
    assert shell(found.args["command"]).text == "name: a: b #c\nsee: [x\n"
    assert found.args["stdin"] == "name: it's: b\ncommand: x: y"


def test_a_list_behind_command_is_a_list_and_a_map_behind_pty_a_map() -> None:
    assert step("  - command: [a, 'b: c']\n").args["command"] == ("a", "b: c")
    joined = step("  - pty: {pid: 5}\n    script: [{enter: x}]\n")
    assert joined.args["pty"] == {"pid": 5}
    assert shell(step("  - command: { echo; }\n").args["command"]).text == "{ echo; }"


def test_a_text_may_go_on_over_lines_and_blocks_keep_theirs() -> None:
    found = steps(
        "  - name: one\n      two\n    command: |-\n      a\n\n      b\n"
        "  - command: >\n      a\n      b\n  - command: |+\n      a\n\n"
    )
    assert found[0].label == "one two"
    texts = [shell(one.args["command"]).text for one in found]
    assert texts == ["a\n\nb", "a b\n", "a\n\n"]


@pytest.mark.parametrize("key", ["name", "description"])
@pytest.mark.language("§2 lines of text: ` #` kept")
def test_a_hash_in_a_line_is_kept_with_one_warning(key: str) -> None:
    text = f"runbook: 1\n{key}: a #1\nsteps:\n  - command: ls # all\n    if: true # x\n"
    with pytest.raises(RunbookError):
        load(text, VERBS)  # `#` is no expression
    runbook = load(text.replace(" # x", ""), VERBS)
    assert "a #1" in (runbook.name, runbook.description)
    assert shell(runbook.steps[0].args["command"]).text == "ls # all"
    [warning] = runbook.warnings
    assert (warning.code, warning.at.line, warning.severity) == ("SB108", 2, "warning")


@pytest.mark.language("§2 lines of text: ` #` refused")
def test_a_hash_in_a_line_that_is_typed_or_looked_for_is_refused() -> None:
    text = "runbook: 1\nsteps:\n  - pty: x\n    script:\n      - see: Issue #5\n"
    assert problems_of(text, VERBS) == [
        "SB109 5:14 ` #` in this text could begin a comment"
    ]
    quoted = text.replace("Issue #5", "'Issue #5' # fine")
    assert load(quoted, VERBS).steps[0].args["script"] == ({"see": "Issue #5"},)


@pytest.mark.language("§3 free inside", "§3 the other kind of quote")
def test_expressions_may_hold_what_yaml_would_read() -> None:
    top = "inputs: {a: {default: x}}\n"
    lines = (
        "  - command: [${{ inputs.a }}, \"${{ inputs.a == 'b' }}\","
        ' ${{ {"a": [1]}.a }}]\n'
        "    stdin: ${{ 'a # b: c' }}\n"
        "    env: {A: ${{ inputs.a }}, B: '${{ inputs.a ~ \"x\" }}',"
        " C: '${{ ''a'' ~ ''}'' }}', D: \"${{ \\\"it's\\\" ~ '\\\\\\\\' }}\"}\n"
    )
    found = step(lines, top)
    scope = Scope({"inputs": {"a": "x"}})
    assert evaluate(found.args["command"], scope) == ["x", "false", "[1]"]
    assert evaluate(found.args["stdin"], scope) == "a # b: c"
    assert evaluate(found.env, scope) == {"A": "x", "B": "xx", "C": "a}", "D": "it's\\"}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("$${{ x }}", "${{ x }}"),
        ("a $${{ x # y", "a ${{ x"),
        ("'$${{ x }} ${{ 1 }}'", "${{ x }} 1"),
        ("$ {{ x }}", "$ {{ x }}"),
        ("a{{b}}", "a{{b}}"),
    ],
)
@pytest.mark.language("§3 $${{")
def test_two_dollars_are_a_plain_one(written: str, text: str) -> None:
    found = step(f"  - write: x\n    content: {written}\n").args["content"]
    assert evaluate(found, Scope()) == text


@pytest.mark.language("§3 a block is text")
def test_an_expression_in_a_block_is_text_with_its_line_end() -> None:
    found = steps(
        "  - run_code: x\n    with:\n      a: |\n        ${{ 1 }}\n      b: ${{ 1 }}\n"
    )[0].args["with"]
    assert evaluate(found, Scope()) == {"a": "1\n", "b": 1}


def test_private_characters_do_not_make_expressions() -> None:
    forged = '"\\U00100000\\U00100001\\U00100001\\U00101001 \\ue0b0"'
    text = step(f"  - write: x\n    content: {forged}\n    if: ${{{{ true }}}}\n")
    assert isinstance(text.args["content"], str)
    assert text.args["content"] == "\U00100000\U00100001\U00100001\U00101001 \ue0b0"


@pytest.mark.language("§2 aliases and <<")
def test_aliases_and_merges_are_followed() -> None:
    found = steps(
        "  - &first\n    command: &c echo\n    env: &e {A: 1, B: 2}\n"
        "  - <<: *first\n    env: {<<: *e, B: 3}\n  - command: *c\n".replace(
            "command: &c echo", "command: echo"
        ).replace("command: *c", "command: echo")
    )
    assert found[1].env == {"A": "1", "B": "3"}
    assert found[1].args == found[0].args


def test_the_same_steps_load_through_the_slow_reader() -> None:
    from sandbook.loader._shape import runbook_shape
    from sandbook.loader._source import Source
    from sandbook.loader._tree import read_tree

    text = (
        HELLO + "  - command: |\n      a\n    env: {A: 'x', B: \"y\"} # c\n"
        "  - &a\n    write: x\n    content: >-\n      a\n      b\n  - *a\n"
    )
    shape = runbook_shape(VERBS)
    fast = read_tree(Source("f", text), shape)
    assert fast is not None
    assert fast == read_tree(Source("f", text), shape, fast=False)


def test_keys_of_a_step_have_their_types() -> None:
    found = step(
        "  - command: x\n    timeout: 1m\n"
        "    retry: {times: 2, wait: 500ms, on: [exit]}\n"
        "    limit: 3\n    for_each: [3.10, {a: 1}]\n    allow_failure: true\n"
        "    resume: rerun\n    background: true\n    ready: {port: 80, within: 2s}\n"
        "    cwd: a\n    save: {v: '(.*)'}\n    in: main\n    if: not false\n"
    )
    assert (found.timeout, found.limit, found.sandbox) == (60.0, 3, "main")
    assert found.retry == Retry(times=2, wait=0.5, on=frozenset({"exit"}))
    assert found.for_each == ("3.10", {"a": 1})
    assert found.is_loop
    assert found.allow_failure
    assert found.rerun_on_resume
    assert found.args["background"] is True
    assert found.args["ready"] == {"port": 80, "within": 2.0}
    assert found.save == {"v": "(.*)"}
    assert evaluate(found.condition, Scope()) is True


@pytest.mark.language("§1 finally", "§4 timeout")
def test_the_time_limit_is_that_of_the_verb_the_list_or_the_step() -> None:
    runbook = load(
        "runbook: 1\ntimeout: none\nsteps:\n  - parallel: [{command: x}]\n"
        "  - command: x\n    timeout: none\n  - command: x\nfinally:\n  - command: x\n"
        "  - command: y\n    timeout: 2m\n",
        VERBS,
    )
    assert [one.timeout for one in runbook.steps] == [None, None, 600.0]
    assert [one.timeout for one in runbook.final] == [60.0, 120.0]
    assert runbook.timeout is None


def test_steps_within_steps_have_a_place_in_the_plan() -> None:
    [outer] = steps(
        "  - watch: src\n    expect: [{path: a, within: 1s}]\n    during:\n"
        "      - parallel:\n          - command: a\n          - command: b\n"
    )
    [inner] = outer.children["during"]
    assert [one.path for one in inner.children["parallel"]] == [
        "steps[0].during[0].parallel[0]",
        "steps[0].during[0].parallel[1]",
    ]
    assert outer.args["expect"] == ({"path": "a", "within": 1.0},)


def test_the_rest_of_a_runbook_is_typed_too() -> None:
    runbook = load(
        "runbook: 1\nsecrets: [A]\nenv: {T: '${{ secrets.A }}'}\n"
        "sandbox: {network: false, timeout: 5m, provider: [local]}\n"
        "setup: [{command: a}]\nsteps: [{command: b, id: b}]\n"
        "artifacts: [a/*.txt, {path: b}]\noutputs: {n: 3, t: '${{ steps.b.text }}'}\n"
        "timeout: 1h\n",
        VERBS,
    )
    assert runbook.secrets == ("A",)
    assert runbook.sandbox == {
        "network": False,
        "timeout": 300.0,
        "provider": ("local",),
    }
    assert [one.path for one in (*runbook.setup, *runbook.steps)] == [
        "setup[0]",
        "steps[0]",
    ]
    assert [one.path for one in runbook.artifacts] == ["a/*.txt", "b"]
    assert runbook.outputs["n"] == 3
    assert runbook.timeout == 3600.0


def test_a_label_is_made_from_the_step() -> None:
    found = steps("  - command: [git, clone, x]\n  - write: a.txt\n    content: x\n")
    assert [one.label for one in found] == ["git clone x", "write a.txt"]


def test_shell_texts_inside_maps_are_bound_too() -> None:
    ready = step(
        "  - command: x\n    background: true\n"
        "    ready: {command: 'curl ${{ inputs.u }}'}\n",
        "inputs: {u: {default: a b}}\n",
    ).args["ready"]
    assert isinstance(ready, dict)
    assert shell(ready["command"]).text == 'curl "${SANDBOOK_V1}"'


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = "\ufeff" + HELLO.replace("\n", "\r\n")
    assert load(text, VERBS).steps[0].at.line == 5
    assert problems_of(text.replace("stdout", "stdotu"), VERBS) == [
        "SB201 7:14 there is no key 'stdotu' here"
    ]


def test_jsonschema_and_jinja_are_not_imported_to_load_hello() -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from sandbook.loader import load_text\n"
        "from sandbook.api import VerbSpec\n"
        "spec = VerbSpec(name='command', summary='', value={'x-kind': 'shell'},"
        " subjects=('stdout',))\n"
        f"load_text({HELLO!r}, Path('f'), {{'command': spec}})\n"
        "loaded = {'jinja2', 'jsonschema', 'rich', 'click'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_loading_is_repeatable() -> None:
    def twice() -> tuple[Runbook, Runbook]:
        return load(HELLO, VERBS), load(HELLO, VERBS)

    first, second = twice()
    assert first == second
