"""Scripts with programs that people really use in terminals."""

from __future__ import annotations

import shutil

import pytest

from tests.runner.conftest import Runs


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where a program is not installed."""
    missing = shutil.which(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} is not installed here")


def test_bash_is_talked_to_prompt_by_prompt(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: [bash, --norc]
            env: {PS1: "ready> "}
            script:
              - see: "ready>"
              - enter: cd /tmp && pwd
              - see_regex: ^/tmp$
              - see: "ready>"
              - enter: for i in 1 2 3; do echo "n$i"; done
              - see: n3
              - see: "ready>"
              - enter: sleep 100
              - wait_idle: 300ms
              - press: Ctrl+C
              - see: "ready>"
              - enter: echo code=$?
              - see: code=130
              - paste: echo pasted
              - press: Enter
              - see_regex: ^pasted$
              - enter: exit 4
              - expect_exit: 4
            expect: {output: code=130}
    """)
    assert ran.code == 0, ran.report.cause


def test_python_is_talked_to(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: [python3, -q]
            script:
              - see: ">>>"
              - enter: 6 * 7
              - see_regex: ^42$
              - see: ">>>"
              - enter: name = input("Who? ")
              - see: Who?
              - enter: Zoë 漢字
              - see: ">>>"
              - enter: print(f"[{name}]")
              - see: "[Zoë 漢字]"
              - see: ">>>"
              - enter: 1 / 0
              - see: ZeroDivisionError
              - see: ">>>"
              - enter: import getpass; secret = getpass.getpass()
              - see: "Password:"
              - secret: hidden
              - see: ">>>"
              - enter: len(secret)
              - see_regex: ^6$
              - see: ">>>"
              - press: Ctrl+D
              - expect_exit: 0
            expect: {output: {not_contains: hidden}}
    """)
    assert ran.code == 0, ran.report.cause


@needs("vim.tiny")
def test_vim_is_edited_with(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: vim.tiny -u NONE -N notes.txt
            script:
              - see_regex: notes\.txt
              - type: ifirst line
              - press: [Enter]
              - type: second line
              - press: Esc
              - see: first line
              - see: second line
              - type: ":s/second/third/"
              - press: Enter
              - see: third line
              - not_see: second line
              - enter: ":wq"
              - expect_exit: 0
            expect:
              file: {path: notes.txt, equals: "first line\nthird line\n"}
              text: {not_contains: third}
    """)
    assert ran.code == 0, ran.report.cause


@needs("less")
def test_less_is_paged_and_searched(run: Runs) -> None:
    ran = run(r"""
        steps:
          - command: seq 1000 >numbers; echo needle >>numbers; seq 1000 >>numbers
          - pty: less numbers
            env: {LESS: ""}
            size: 60x12
            script:
              - see_regex: ^11$
              - not_see: "12"
              - press: Space
              - see_regex: ^22$
              - enter: /needle
              - see_regex: ^needle$
              - press: End
              - press: G
              - see: (END)
              - press: q
              - expect_exit: 0
    """)
    assert ran.code == 0, ran.report.cause


@needs("nano")
def test_nano_writes_a_file(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: nano --ignorercfiles letter.txt
            script:
              - see: letter.txt
              - type: Dear reader
              - see: Modified
              - press: Ctrl+O
              - see: "File Name to Write: letter.txt"
              - press: Enter
              - see: Dear reader
              - press: Ctrl+X
              - expect_exit: 0
            expect: {file: {path: letter.txt, equals: "Dear reader\n"}}
    """)
    assert ran.code == 0, ran.report.cause


@needs("htop")
def test_htop_redraws_itself_without_end(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: htop --delay=5
            size: 100x30
            script:
              - see: Load average
              - press: F1
              - see: Released under the GNU GPL
              - press: Esc
              - see: Load average
              - resize: 120x40
              - see: Load average
              - press: q
              - expect_exit: 0
    """)
    assert ran.code == 0, ran.report.cause


_MENU = """
import curses


def menu(screen):
    curses.curs_set(0)
    chosen, marked = 0, set()
    while True:
        screen.erase()
        screen.box()
        screen.addstr(0, 2, " Components ")
        for row, name in enumerate(("core", "docs", "extras")):
            sign = "[x]" if row in marked else "[ ]"
            look = curses.A_REVERSE if row == chosen else 0
            screen.addstr(2 + row, 4, f"{sign} {name}", look)
        key = screen.getch()
        if key == curses.KEY_DOWN:
            chosen = (chosen + 1) % 3
        elif key == ord(" "):
            marked ^= {chosen}
        elif key in (10, 13):
            return sorted(marked)


print("chosen:", curses.wrapper(menu))
"""


def test_a_menu_is_chosen_from(run: Runs) -> None:
    (run.folder / "menu.py").write_text(_MENU)
    ran = run(r"""
        steps:
          - copy: menu.py
          - pty: python3 menu.py
            size: 40x10
            script:
              - see: Components
              - press: [Down x2, Space]
              - see: "[x] extras"
              - see: "[ ] core"
              - press: [Down, Space]
              - see: "[x] core"
              - press: Enter
              - see: "chosen: [0, 2]"
              - expect_exit: 0
    """)
    assert ran.code == 0, ran.report.cause


def test_a_burst_of_5_mb_is_looked_through(run: Runs) -> None:
    ran = run(r"""
        steps:
          - id: burst
            pty: |
              yes 'a line of a build that says rather a lot of what it does' |
                head -c 5000000 || true
              printf '\nthe end\n'
            script:
              - see: the end
                within: 2m
              - expect_exit: 0
                within: 2m
          - check: steps.burst.output | length > 1000000
    """)
    assert ran.code == 0, ran.report.cause
