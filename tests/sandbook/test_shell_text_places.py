"""Places where bash or sh would make more of a value than a word are refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.sandbook.reading import bound, references, refused
from tests.sandbook.test_shell_text import BASH_SHAPES, HOSTILE, MARK, SHAPES, run

EVALUATED = [
    "echo $[a[1] + ${{ inputs.v }}]",
    "a[b[1] + ${{ inputs.v }}]=1",
    "a[b[1]+${{ inputs.v }}]=1",
    "a[ ${{ inputs.v }} ]=1",
    "a=([ ${{ inputs.v }} ]=1)",
    "a=([${{ inputs.v }}]=1)",
    "let x=${{ inputs.v }}",
    'builtin let "x=${{ inputs.v }}"',
    "declare -i x=${{ inputs.v }}",
    "declare ${{ inputs.v }}=1",
    'declare "a[${{ inputs.v }}]=1"',
    "local ${{ inputs.v }}",
    'unset "a[${{ inputs.v }}]"',
    'read "a[${{ inputs.v }}]" <<<1',
    "printf -v ${{ inputs.v }} x",
    "test -v ${{ inputs.v }}",
    '[ -v "a[${{ inputs.v }}]" ]',
    "[[ -v ${{ inputs.v }} ]]",
    "[[ ${{ inputs.v }} -eq 1 ]]",
    '[[ "${{ inputs.v }}"   -lt 1 ]]',
    "[[ -n x && 1 -ge ${{ inputs.v }} ]]",
]
NAMES = [
    "${{ inputs.v }}=1",
    "a${{ inputs.v }}=1",
    "${{ inputs.v }}() { :; }",
    "function ${{ inputs.v }} { :; }",
    "for ${{ inputs.v }} in a; do :; done",
]
TWO_WAYS = [
    "echo $'it\\'s' ${{ inputs.v }} ''",
    'cat <<"E F\nx" ${{ inputs.v }}',
    "cat <<$X\n${{ inputs.v }}\n$X",
    "cat <<EOF\nE\\\nOF\n'${{ inputs.v }}'\nEOF",
    "cat <\\\n<EOF\n'${{ inputs.v }}'\nEOF",
    "echo $\\\n${{ inputs.v }}",
    "cat <(echo)#'${{ inputs.v }}",
    "echo ${ echo; } ${{ inputs.v }}",
    "echo `a ${{ inputs.v }}",
]


@pytest.mark.parametrize("script", [*EVALUATED, *NAMES, *TWO_WAYS])
def test_a_value_that_would_be_evaluated_or_be_a_name_is_refused(script: str) -> None:
    [refusal, *_] = refused(script)
    assert refusal.message
    assert refusal.remedy
    assert refusal.expression.at.column == script.index("${{") + 1


@pytest.mark.parametrize(
    "script",
    [
        'export X=${{ inputs.v }}; printf %s "$X"',
        "read -p ${{ inputs.v }} x <<E\na\nE\nprintf %s ${{ inputs.v }}",
        "env ${{ inputs.v }}=1 true || :; printf %s ${{ inputs.v }}",
        "echo let >&2; printf %s ${{ inputs.v }}",
        "x=(let a) ; printf %s ${{ inputs.v }}",
        "case in in in) printf %s ${{ inputs.v }};; esac",
        'printf %s "$(case x in case) :;; esac; printf %s. ${{ inputs.v }})"',
        'printf %s "$(case x in x) : in case;; esac; printf %s. ${{ inputs.v }})"',
        'printf %s "$(case x in (x) if :;then :;fi esac; printf %s. ${{ inputs.v }})"',
        "cat <<'E F'\n'\nE F\nprintf %s ${{ inputs.v }}",
        "echo >&2 \\\n# it's a comment\nprintf %s ${{ inputs.v }}",
        "echo >&2 $'a'\nprintf %s ${{ inputs.v }}",
        'printf %s $"${{ inputs.v }}"',
        'a=(1 2)\na[1]=${{ inputs.v }}\nprintf %s "${a[1]}"',
        "[[ [ == [ ]] && printf %s ${{ inputs.v }}",
    ],
)
def test_a_value_stands_whole_beside_what_looks_like_those_places(
    script: str, tmp_path: Path
) -> None:
    value = f"a'\"$(touch {MARK})`touch {MARK}`\\"
    printed = run("bash", bound(script, inputs={"v": value}), tmp_path)
    assert printed.replace("'\n", "", 1).removesuffix(".") == value
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opening", ["$(", '"${x:-', '"$(', "${x:-"])
def test_deep_nesting_is_refused_and_no_crash(opening: str) -> None:
    assert refused(opening * 5000 + "${{ inputs.v }}")


def test_many_words_and_quotes_are_read_in_linear_time() -> None:
    assert not refused("echo" + ' "a" ${{ inputs.v }}' * 20_000)
    assert references("x" + "'a'${{ inputs.v }}" * 20_000).values


def test_the_same_values_pasted_would_have_run_or_been_changed(tmp_path: Path) -> None:
    """Without this the matrix could pass because nothing in it is dangerous."""
    shapes = {"bash": SHAPES | BASH_SHAPES, "dash": SHAPES}
    for shell, chosen in shapes.items():
        ran, wrong = _pasted(shell, list(chosen.values())[:6], tmp_path)
        assert ran >= 10, shell
        assert wrong >= 40, shell


def _pasted(shell: str, shapes: list[tuple[str, str]], folder: Path) -> tuple[int, int]:

    ran = wrong = 0
    for script, expected in shapes:
        for value in HOSTILE.values():
            ended = subprocess.run(
                [shell, "-ec", script.replace("${{ inputs.v }}", value)],
                env={"PATH": os.environ["PATH"], "HOME": "/nowhere"},
                cwd=folder,
                capture_output=True,
                check=False,
            )
            wrong += ended.stdout.decode() != expected.replace("{}", value)
            if (folder / MARK).exists():
                ran += 1
                (folder / MARK).unlink()
    return ran, wrong
