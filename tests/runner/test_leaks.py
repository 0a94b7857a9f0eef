"""A secret is in nothing that a run shows or leaves, whatever way it takes.

Each probe is first shown to find the value where it was not declared a secret.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import Called, Cli, finish
from tests.runner import leaking

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces")

TOKEN = "Zq7/p+W'x\"$é%k&<mJ> w\\9~vRt"  # noqa: S105 (planted to be found)
NAMED = "Nq4mT0k.Wx_7"
CHECKED_AT = 8130

BOOK = """\
runbook: 1
DECLARED
env: {TOKEN: "${{ FROM.TOKEN }}", NAMED: "${{ FROM.NAMED }}"}
steps:
  - copy: leaking.py
  - command: python3 leaking.py whole stdout
  - command: python3 leaking.py whole stderr
  - command: python3 leaking.py bytes stdout
  - command: printf '%q\\n' "$TOKEN"; set -x; true "$TOKEN"
  - command: cat
    stdin: 'typed: ${{ FROM.TOKEN }}'
  - write: conf.txt
    content: 'token=${{ FROM.TOKEN }}'
  - command: cat conf.txt
    expect:
      stdout: {equals: nothing like it}
      file: {path: conf.txt, contains: nothing like it}
    allow_failure: true
  - command: 'printf "%0110d%s" 0 "$TOKEN"'
    expect: {stdout: {contains: nothing like it}}
    allow_failure: true
  - command: 'echo "it is $TOKEN" >&2; exit 3'
    allow_failure: true
  - command: 'printf "%0190d%s\\n" 0 "$TOKEN" >&2; exit 3'
    allow_failure: true
  - id: saved
    command: echo "got=$NAMED."
    save: {got: 'got=(.*)\\.'}
  - name: step of ${{ steps.saved.values.got }}
    command: [echo, 'argument ${{ steps.saved.values.got }}']
  - for_each: ['${{ steps.saved.values.got }}', other]
    name: item ${{ item }}
    command: echo "${{ item }}"
  - check: steps.saved.values.got == 'nothing like it'
    allow_failure: true
  - command: |
      mkdir -p "out/of $NAMED"
      for name in "out/$NAMED.txt" "out/of $NAMED/x" "$NAMED.log"; do
        echo 1 > "$name"
      done
  - fetch: out
    to: 'fetched-${{ steps.saved.values.got }}'
  - fetch: '${{ steps.saved.values.got }}.log'
  - parallel:
      - command: echo "beside $TOKEN"
      - command: echo "beside $NAMED" >&2
  - id: used
    use: child.yaml
    USING
  - command: echo "${{ steps.used.outputs.got }}"
  - id: server
    command: [python3, -c, 'PROGRAM']
    background: true
    ready: {output: up}
  - check: {http: 'http://127.0.0.1:PORT/', text: {contains: nothing like it}}
    allow_failure: true
  - check:
      http: http://127.0.0.1:PORT/
      headers: {X-Token: '${{ FROM.NAMED }}'}
      status: 200
      text: {contains: token}
artifacts: [out, '*.log']
outputs:
  got: ${{ steps.saved.values.got }}
  list: ['${{ steps.saved.values.got }}']
  map: {key: 'x-${{ steps.saved.values.got }}'}
"""
CHILD = """\
runbook: 1
DECLARED
env: {TOKEN: "${{ FROM.TOKEN }}"}
steps:
  - id: child
    command: echo "in the child $TOKEN"; echo 1 > "$NAMED.child"
    env: {NAMED: "${{ FROM.NAMED }}"}
    save: {got: 'child (.*)'}
artifacts: ['*.child']
outputs: {got: "${{ steps.child.values.got }}"}
"""
USING = "with: {TOKEN: '${{ inputs.TOKEN }}', NAMED: '${{ inputs.NAMED }}'}"
SERVER = (
    "import os, http.server as h;"
    'T=os.environ["TOKEN"].encode();'
    'H=type("H", (h.BaseHTTPRequestHandler,), {"do_GET": lambda s: ('
    's.send_response(200), s.send_header("Content-Length", str(len(T)+6)),'
    ' s.end_headers(), s.wfile.write(b"token:"+T))});'
    'S=h.HTTPServer(("127.0.0.1", PORT), H);'
    'print("up", os.environ["TOKEN"], flush=True); S.serve_forever()'
)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """Calls commands."""
    made = Cli(tmp_path)
    shutil.copy(leaking.__file__, made.folder / "leaking.py")
    yield made
    if (made.state / "sandboxes").is_dir() and any(
        (made.state / "sandboxes").iterdir()
    ):
        made("sandboxes", "kill", "--all", "--yes")


def book(text: str, *, secret: bool) -> str:
    declared = "secrets: [TOKEN, NAMED]" if secret else "inputs: {TOKEN: {}, NAMED: {}}"
    text = text.replace("DECLARED", declared).replace(
        "USING", "timeout: 1m" if secret else USING
    )
    text = text.replace("PROGRAM", SERVER.replace("'", "''"))
    text = text.replace("FROM", "secrets" if secret else "inputs")
    return text.replace("PORT", str(CHECKED_AT))


def everything(cli: Cli, calls: list[Called]) -> dict[str, bytes]:
    """Whatever was shown or is left: by where it is, what is there."""
    found = {
        f"shown {number}": (call.out + call.err).encode(errors="surrogateescape")
        for number, call in enumerate(calls)
    }
    for path in cli.state.parent.rglob("*"):
        if cli.folder in path.parents and "left" not in path.parts:
            continue
        if cli.site in path.parents:
            continue
        name = str(path.relative_to(cli.state.parent))
        found[f"the name {name}"] = os.fsencode(path.name)
        if path.is_file() and not path.is_symlink():
            found[name] = path.read_bytes()
    return found


def run_everything(cli: Cli, *, secret: bool) -> dict[str, bytes]:
    for name, text in {"leaks.yaml": BOOK, "child.yaml": CHILD}.items():
        (cli.folder / name).write_text(book(text, secret=secret), encoding="utf-8")
    given = () if secret else ("-i", f"TOKEN={TOKEN}", "-i", f"NAMED={NAMED}")
    env = {"TOKEN": TOKEN, "NAMED": NAMED} if secret else {}
    formats = ("json", "junit", "markdown", "github")
    reports = [part for name in formats for part in ("--report", f"{name}=left/{name}")]
    run = ("run", "leaks.yaml", *given, *reports)
    calls = [cli(*run, "-v", env=env), cli(*run, "--json", env=env)]
    for call in calls:
        assert call.code == 0, call.err + call.out
    assert cli.sandboxes() == []
    calls += [cli("show"), cli("show", "--json"), cli("runs", "--json"), cli("runs")]
    return everything(cli, calls)


def probes() -> dict[str, bytes]:
    found = {name: leaking.core(name, TOKEN).encode() for name in leaking.FORMS}
    quoted = subprocess.run(
        ["bash", "-c", 'printf %q "$TOKEN"'],
        env={"TOKEN": TOKEN, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    ).stdout
    found["bash's own quotes"] = quoted
    for at in range(len(TOKEN) - 9):
        found[f"a piece at {at}"] = TOKEN[at : at + 10].encode()
    for at in range(len(NAMED) - 7):
        found[f"a piece of a name at {at}"] = NAMED[at : at + 8].encode()
    return found


def test_a_secret_is_in_nothing_that_a_run_shows_or_leaves(cli: Cli) -> None:
    plain = run_everything(cli, secret=False)
    for name, probe in probes().items():
        assert any(probe in text for text in plain.values()), f"{name} is no probe"
    shutil.rmtree(cli.state)
    shutil.rmtree(cli.folder / "left")
    masked = run_everything(cli, secret=True)
    leaks = [
        (name, where, _around(text, probe))
        for name, probe in probes().items()
        for where, text in masked.items()
        if probe in text
    ]
    assert leaks == []
    assert any(b"***" in text for text in masked.values())


def test_a_secret_is_in_the_arguments_of_no_process(cli: Cli) -> None:
    book = cli.book("""
        secrets: [NAMED]
        steps:
          - command: echo started; cat > got; sleep 1; echo "$NAMED" >> got
            stdin: ${{ secrets.NAMED }}
            env: {NAMED: "${{ secrets.NAMED }}"}
          - write: conf
            content: ${{ secrets.NAMED }}
    """)
    process = cli.start("run", book, env={"NAMED": NAMED})
    seen: list[bytes] = []
    while process.poll() is None:
        seen += _arguments()
    assert finish(process).code == 0
    assert any(b"book.yaml" in each for each in seen)
    assert any(b"sleep" in each for each in seen)
    assert not any(NAMED.encode() in each for each in seen)


def _arguments() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


def test_a_secret_that_the_file_itself_holds_is_masked_in_its_copy(cli: Cli) -> None:
    book = cli.book(f"secrets: [NAMED]\nsteps:\n  - command: echo {NAMED}\n")
    called = cli("run", book, env={"NAMED": NAMED})
    assert called.code == 0
    assert "runbook.yaml" in [path.name for path in cli.newest().iterdir()]
    for where, text in everything(cli, [called]).items():
        assert NAMED.encode() not in text, where


@pytest.mark.parametrize(
    "expression",
    ["env.NAMED", "env.NAMED | upper", "env['NAMED'][0:6]", "env.OWN", "env.MIXED"],
)
def test_an_entry_of_env_that_holds_a_secret_is_as_secret_as_it(
    cli: Cli, expression: str
) -> None:
    book = cli.book(f"""
        secrets: [NAMED]
        env: {{NAMED: "${{{{ secrets.NAMED }}}}", MIXED: "x-${{{{ secrets.NAMED }}}}"}}
        steps:
          - command: echo "${{{{ {expression} }}}}"
            env: {{OWN: "${{{{ secrets.NAMED }}}}"}}
    """)
    called = cli("run", book, env={"NAMED": NAMED})
    assert called.code == 2
    assert "holds a secret, and no expression can use one (SB306)" in called.err


def test_no_expression_finds_a_secret_among_the_entries_of_env(cli: Cli) -> None:
    book = cli.book("""
        secrets: [NAMED]
        inputs: {which: {default: NAMED}}
        env: {NAMED: "${{ secrets.NAMED }}", PLAIN: plain, OVER: "${{ secrets.NAMED }}"}
        steps:
          - command: echo '${{ env | tojson }} ${{ env[inputs.which] | default("-") }}'
            env: {OVER: fine, OWN: "${{ secrets.NAMED }}"}
            expect: {stdout: '{"PLAIN": "plain", "OVER": "fine"} -'}
          - command: test "$OWN$NAMED$OVER" = "$NAMED$NAMED"
        outputs: {all: "${{ env }}"}
    """)
    called = cli("run", book, "--json", env={"NAMED": NAMED})
    assert called.code == 0, called.out
    assert called.json()["outputs"] == {"all": {"PLAIN": "plain"}}


def test_what_steps_gave_is_marked_where_it_is_no_longer_what_it_was(cli: Cli) -> None:
    book = cli.book("""
        secrets: [NAMED]
        steps:
          - command: echo "got=$NAMED."; echo fine >&2
            env: {NAMED: "${{ secrets.NAMED }}"}
            save: {got: 'got=(.*)\\.', plain: 'go(t)'}
    """)
    assert cli("run", book, env={"NAMED": NAMED}).code == 0
    lines = (cli.newest() / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    finished = next(each for each in events if each["event"] == "step.finished")
    tainted = ["saved.got", "results.stdout", "results.output", "results.text"]
    assert finished["tainted"] == tainted
    assert finished["saved"] == {"got": "***", "plain": "t"}
    assert [each["event"] for each in events if "tainted" in each] == ["step.finished"]


def test_files_of_the_person_keep_their_names_and_equal_names_are_numbered(
    cli: Cli,
) -> None:
    kept = cli.folder / "left" / "out"
    kept.mkdir(parents=True)
    (kept / f"my own {NAMED}").write_text("mine")
    book = cli.book("""
        secrets: [NAMED, OTHER]
        steps:
          - command: mkdir out; echo 1 > "out/$NAMED.txt"; echo 2 > "out/$OTHER.txt"
            env: {NAMED: "${{ secrets.NAMED }}", OTHER: "${{ secrets.OTHER }}"}
        artifacts: ['out/*']
    """)
    given = {"NAMED": NAMED, "OTHER": NAMED[::-1]}
    assert cli("run", book, "--artifacts", "left", env=given).code == 0
    found = {path.name: path.read_text() for path in kept.iterdir()}
    assert found.pop(f"my own {NAMED}") == "mine"
    assert sorted(found) == ["___ (2).txt", "___.txt"]
    assert sorted(found.values()) == ["1\n", "2\n"]


def _around(text: bytes, probe: bytes) -> bytes:
    at = text.find(probe)
    return text[max(0, at - 60) : at + len(probe) + 30]
