"""Values are bound in shell texts, never pasted: tried with the real shells."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sandbook.api import BoundShell
from sandbook.expressions import ExpressionError, Scope, evaluate
from tests.sandbook.reading import bound, references, refused

MARK = "PWNED"
HOSTILE = {
    "plain": "plain",
    "empty": "",
    "spaces": "  a  b ",
    "tab": "a\tb",
    "newline": "a\nb",
    "only newlines inside": "a\n\n\nb",
    "glob": "*",
    "question": "??",
    "bracket": "[a-z]*",
    "tilde": "~",
    "home": "$HOME",
    "single quote": "it's",
    "double quote": 'say "x"',
    "both quotes": "'\"'\"",
    "backslash": "\\",
    "backslash n": "a\\nb",
    "backslash at end": "a\\",
    "substitution": f"$(touch {MARK})",
    "backticks": f"`touch {MARK}`",
    "semicolon": f"; touch {MARK}",
    "and": f"x && touch {MARK}",
    "pipe": f"| touch {MARK}",
    "background": f"& touch {MARK} &",
    "closes double": f'"; touch {MARK}; "',
    "closes single": f"'; touch {MARK}; '",
    "closes substitution": f") ; touch {MARK} ; (",
    "ends document": f"EOF\ntouch {MARK}\n",
    "arithmetic": f"a[$(touch {MARK})]",
    "option": "-n",
    "options end": "--",
    "comment": "# not a comment",
    "unicode": "ключ 鍵 🗝",
    "percent": "%s %d",
    "braces": "{a,b}",
    "redirect": f"> {MARK}",
    "history": "!!",
    "parameter": f"${{x:=$(touch {MARK})}}",
}
# Each shape prints its value between marks; `{}` is where the value must appear.
SHAPES = {
    "bare word": ("printf '<%s>' ${{ inputs.v }}", "<{}>"),
    "part of a word": ("printf '<%s>' a${{ inputs.v }}b", "<a{}b>"),
    "twice": (
        "printf '<%s>' ${{ inputs.v }}${{ inputs.v }}",
        "<{}{}>",
    ),
    "double quotes": ("printf '<%s>' \"a ${{ inputs.v }} b\"", "<a {} b>"),
    "single quotes": ("printf '<%s>' 'a ${{ inputs.v }} b'", "<a {} b>"),
    "single quotes at the edge": ("printf '<%s>' '${{ inputs.v }}'", "<{}>"),
    "assignment": ("x=${{ inputs.v }}\nprintf '<%s>' \"$x\"", "<{}>"),
    "document": ("cat <<EOF\n<${{ inputs.v }}>\nEOF", "<{}>\n"),
    "document with quotes": ("cat <<EOF\n<'\"${{ inputs.v }}\"'>\nEOF", "<'\"{}\"'>\n"),
    "indented document": ("cat <<-EOF\n\t<${{ inputs.v }}>\n\tEOF", "<{}>\n"),
    "two documents": (
        "cat <<A; cat <<EOF\na\nA\n<${{ inputs.v }}>\nEOF\nprintf [%s] ${{ inputs.v }}",
        "a\n<{}>\n[{}]",
    ),
    "substitution": ("printf '<%s>' \"$(printf '%s.' ${{ inputs.v }})\"", "<{}.>"),
    "text in a substitution in a text": (
        "printf '<%s>' \"x$(printf '%s.' \"${{ inputs.v }}\")y\"",
        "<x{}.y>",
    ),
    "case in a substitution": (
        "printf '<%s>' \"$(case a in (b) ;; a) printf '%s.' ${{ inputs.v }};; esac)\"",
        "<{}.>",
    ),
    "comment": ("# ${{ inputs.v }}\nprintf '<%s>' ok # '${{ inputs.v }}\"", "<ok>"),
    "behind a comment with a quote": ("# it's\nprintf '<%s>' ${{ inputs.v }}", "<{}>"),
    "behind a hash in a word": ("printf '<%s>' a#b${{ inputs.v }}", "<a#b{}>"),
    "condition": (
        "if [ ${{ inputs.v }} = ${{ inputs.v }} ]; then printf '<%s>' x; fi",
        "<x>",
    ),
    "case word and pattern": (
        "case ${{ inputs.v }} in ${{ inputs.v }}) printf '<%s>' ${{ inputs.v }};; esac",
        "<{}>",
    ),
    "loop": (
        "for x in ${{ inputs.v }} end; do printf '<%s>' \"$x\"; done",
        "<{}><end>",
    ),
    "function": ("f() { printf '<%s>' \"$1\"; }\nf ${{ inputs.v }}", "<{}>"),
    "subshell": ("(printf '<%s>' ${{ inputs.v }})", "<{}>"),
    "pipe": ("printf '<%s>' ${{ inputs.v }} | cat", "<{}>"),
    "escaped quote before it": ("printf '<%s>' \\\"${{ inputs.v }}", '<"{}>'),
    "escaped quote in a text": ('printf \'<%s>\' "\\"${{ inputs.v }}"', '<"{}>'),
    "parameter before it": ('x=1\nprintf \'<%s>\' "${x#"\'"}${{ inputs.v }}"', "<1{}>"),
    "joined line": ("printf '<%s>' \\\n  ${{ inputs.v }}", "<{}>"),
    "dollar sign alone": ("printf '<%s>' \"$ ${{ inputs.v }}\"", "<$ {}>"),
}

BASH_SHAPES = {
    "array": ("x=(${{ inputs.v }} b)\nprintf '<%s>' \"${x[@]}\"", "<{}><b>"),
    "here-string": ("cat <<<${{ inputs.v }}", "{}\n"),
    "process": ("cat <(printf '<%s>' ${{ inputs.v }})", "<{}>"),
    "double brackets": (
        "[[ ${{ inputs.v }} == ${{ inputs.v }} ]] && printf '<%s>' ${{ inputs.v }}",
        "<{}>",
    ),
    "regular expression": (
        "[[ ${{ inputs.v }} =~ ^${{ inputs.v }}$ ]] && printf '<%s>' ${{ inputs.v }}",
        "<{}>",
    ),
    "braces": ("printf '<%s>' {a${{ inputs.v }},b}", "<a{}><b>"),
}


def run(shell: str, script: BoundShell, folder: Path) -> str:
    """What the script prints; a script that fails fails the test."""
    command = ["bash", "-eo", "pipefail", "-c"] if shell == "bash" else [shell, "-ec"]
    ended = subprocess.run(
        [*command, script.text],
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **script.env},
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


@pytest.mark.parametrize(
    ("shell", "script", "expected"),
    [
        pytest.param(shell, *shape, id=f"{shell}: {name}")
        for shell, shapes in (("bash", SHAPES | BASH_SHAPES), ("dash", SHAPES))
        for name, shape in shapes.items()
    ],
)
@pytest.mark.language(
    "§3 bound: bare",
    '§3 bound: in " "',
    "§3 bound: in ' '",
    "§3 bound: in $( )",
    "§3 bound: comment",
    "§3 bound: here-document",
)
def test_every_hostile_value_arrives_whole_and_runs_nothing(
    shell: str, script: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for name, value in HOSTILE.items():
        if script == SHAPES["condition"][0] and value.startswith(("(", ")", "!", "-")):
            continue  # `[` reads these as its own operators, whoever writes them
        printed = run(shell, bound(script, inputs={"v": value}), tmp_path)
        assert printed == expected.replace("{}", value), name
        assert [path.name for path in tmp_path.iterdir()] == ["file"], name


@pytest.mark.parametrize(
    "script",
    [
        "x[${{ inputs.v }}]=1",
        'x["${{ inputs.v }}"]=1',
        "x[$(echo ${{ inputs.v }})]=1",
        "echo `echo ${{ inputs.v }}`",
        'echo "`echo ${{ inputs.v }}`"',
        "echo $((1 + ${{ inputs.v }}))",
        'echo "$((${{ inputs.v }}))"',
        "echo $[${{ inputs.v }}]",
        "((x = ${{ inputs.v }}))",
        "for ((i=${{ inputs.v }};i<3;i++)); do :; done",
        "echo ${x:-${{ inputs.v }}}",
        'echo "${x:-${{ inputs.v }}}"',
        "echo ${x:-$(echo ${{ inputs.v }})}",
        "echo $'${{ inputs.v }}'",
        "cat <<'EOF'\n${{ inputs.v }}\nEOF",
        'cat <<"EOF"\n${{ inputs.v }}\nEOF',
        "cat <<\\EOF\n${{ inputs.v }}\nEOF",
        "cat <<E${{ inputs.v }}\nE\n",
        "echo \\${{ inputs.v }}",
        'echo "\\${{ inputs.v }}"',
        'echo "$"$${{ inputs.v }}',
        "echo $(cat <<EOF\n${{ inputs.v }}",
        "cat <<EOF\n$(echo ${{ inputs.v }}\nEOF\n) ${{ inputs.w }}",
        'echo "${x:-it\'s}${{ inputs.v }}"',
        "echo $((echo a); echo ${{ inputs.v }})",
        'echo "$((x[")"] + ${{ inputs.v }}))"',
    ],
)
@pytest.mark.language(
    "§3 refused: <<'EOF'",
    "§3 refused: backticks",
    "§3 refused: $(( ))",
    "§3 refused: $' '",
    "§3 refused: inside ${…}",
    "§3 refused: behind \\ or $",
)
def test_places_where_a_value_could_be_evaluated_are_refused(script: str) -> None:
    found = refused(script)
    assert found
    assert all(refusal.message and refusal.remedy for refusal in found)


def test_a_refusal_names_the_expression_it_is_about() -> None:
    [refusal] = refused("echo ${{ inputs.a }} `${{ inputs.b }}` ${{ inputs.c }}")
    assert refusal.expression.source == " inputs.b "
    assert refusal.expression.at.column == 23
    assert refusal.remedy == "write $( ) instead of backticks"


def test_a_secret_is_refused_with_the_variable_to_use() -> None:
    [refusal] = refused('curl -H "X: ${{ secrets.TOKEN }}"')
    assert (
        refusal.remedy == 'set `env: {TOKEN: ${{ secrets.TOKEN }}}` and write "$TOKEN"'
    )


def test_a_text_without_expressions_is_left_as_it_is() -> None:
    text = "echo `a` $((1)) <<'E'\nunclosed \"\nE"
    assert references(text).text == text


def test_the_same_expression_is_one_variable() -> None:
    shell = references("echo ${{ inputs.a }} ${{inputs.a}} ${{ inputs.b }}")
    assert shell.text == 'echo "${SANDBOOK_V1}" "${SANDBOOK_V1}" "${SANDBOOK_V2}"'
    assert [name for name, _ in shell.values] == ["SANDBOOK_V1", "SANDBOOK_V2"]


@pytest.mark.language("§3 bound: a list")
def test_lists_and_maps_are_bound_as_json_and_stay_one_word(tmp_path: Path) -> None:
    script = bound("printf '<%s>' ${{ inputs.v }}", inputs={"v": ["a b", {"c": None}]})
    assert run("bash", script, tmp_path) == '<["a b", {"c": null}]>'


def test_null_is_refused() -> None:
    with pytest.raises(ExpressionError, match="null"):
        bound("echo ${{ inputs.v }}", inputs={"v": None})


def test_a_value_the_system_cannot_hand_over_is_refused_before_it_is_tried() -> None:
    with pytest.raises(ExpressionError, match="128 KiB") as caught:
        bound("echo ${{ inputs.v }}", inputs={"v": "x" * (128 * 1024)})
    assert caught.value.remedy == "use `write` or `stdin`"


def test_the_largest_value_that_is_accepted_can_be_run(tmp_path: Path) -> None:
    value = "x" * (128 * 1024 - len("SANDBOOK_V1=") - 1)
    script = bound('v=${{ inputs.v }}\necho "${#v}"', inputs={"v": value})
    assert run("bash", script, tmp_path) == f"{len(value)}\n"


def test_a_nul_byte_is_refused_in_values_and_in_the_text() -> None:
    with pytest.raises(ExpressionError, match="NUL"):
        bound("echo ${{ inputs.v }}", inputs={"v": "a\0b"})
    assert "NUL" in refused("echo \0 ${{ inputs.v }}")[0].message


def test_a_long_text_is_read_in_linear_time() -> None:
    text = "echo ${{ inputs.v }} 'a' \"b\" $(c) # d\n" * 5000
    assert references(text).text.count("SANDBOOK_V1") == 5000
    assert refused("(" * 200_000 + "${{ inputs.v }}")
    assert refused("$(" * 5000 + "${{ inputs.v }}")


def test_bound_values_do_not_show_in_the_repr_of_a_text() -> None:
    shell = evaluate(
        references("echo ${{ inputs.v }}"), Scope({"inputs": {"v": "hush"}})
    )
    assert "hush" not in repr(shell)
