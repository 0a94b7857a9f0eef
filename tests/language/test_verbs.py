"""The verbs of the language, each row in a run of its own."""

from __future__ import annotations

import pytest

from tests.runner import conftest as runner
from tests.runner.conftest import Runs

run = runner.run


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            """
            - command: |
                x='$HOME'; echo "$x" | tr a-z A-Z > f && test -n "$BASH_VERSION"
            - command: cat f
              expect: {text: {equals: $HOME}}
            """,
            marks=pytest.mark.language("§6 command: text"),
            id="command text",
        ),
        pytest.param(
            """
            - command: [printf, "%s|", $HOME, "a b", "*", "$(id)", ""]
              expect: {stdout: {equals: "$HOME|a b|*|$(id)||"}}
            """,
            marks=pytest.mark.language("§6 command: list"),
            id="command list",
        ),
        pytest.param(
            """
            - id: both
              command: |
                printf '{"a": [1]}\\n\\n'; sleep 0.2; echo err >&2; exit 3
              expect: {exit: 3}
            - check: steps.both.exit == 3 and steps.both.pid > 0
            - check: steps.both.json.a[0] == 1
            - check: {step: both, text: {equals: '{"a": [1]}'}}
            - check: steps.both.stdout | length == 12
            - check: {step: both, stderr: {equals: "err\\n"}}
            - check: {step: both, output: {contains: [a, err]}}
            - {id: plain, command: echo no}
            - check: steps.plain.json is defined == false
            """,
            marks=pytest.mark.language("§6 command: fields"),
            id="command fields",
        ),
        pytest.param(
            """
            - {command: [cat], stdin: "a\\nb", expect: {stdout: {equals: "a\\nb"}}}
            - {command: [cat], expect: {stdout: {equals: ""}}}
            """,
            marks=pytest.mark.language("§6 command stdin"),
            id="command stdin",
        ),
        pytest.param(
            """
            - {command: set -o, expect: {stdout: {matches: 'pipefail\\s+on'}}}
            - {command: false | true, expect: {exit: 1}}
            - {command: false | true, shell: sh}
            - {command: false; true, shell: sh, expect: {exit: 1}}
            """,
            marks=pytest.mark.language("§6 command shell"),
            id="command shell",
        ),
        pytest.param(
            """
            - command: mkdir d; cd d; export KEPT=1; touch f; sleep 300 &
            - command: test -z "$KEPT" && test ! -e f && test -e d/f
            """,
            marks=pytest.mark.language("§6 command: a new shell"),
            id="command new shell",
        ),
        pytest.param(
            """
            - {command: false; touch never, expect: {exit: 1}}
            - command: |
                if false; then :; fi
                while false; do :; done
                ! true
                false && true
                false || true
                test ! -e never
            """,
            marks=pytest.mark.language("§6 command: errexit"),
            id="command errexit",
        ),
        pytest.param(
            """
            - id: slow
              command: |
                (trap '' TERM; echo $BASHPID > child; sleep 300; echo) &
                until test -s child; do sleep 0.02; done
                echo before; sleep 300
              timeout: 1s
              allow_failure: true
            - check: {step: slow, stdout: {equals: "before\\n"}}
            - command: "! kill -0 $(cat child)"
            """,
            marks=pytest.mark.language("§6 command: the process tree"),
            id="command process tree",
        ),
        pytest.param(
            """
            - id: big
              command: |
                echo start; head -c 12000000 /dev/zero | tr '\\0' x; echo; echo last
              expect: {stdout: {matches: '\\Astart'}, text: {matches: 'last\\Z'}}
            - check: steps.big.stdout | length < 11000000
            - check: steps.big.stdout | length >= 10485760
            """,
            marks=pytest.mark.language("§6 command: 5 MiB"),
            id="command 5 MiB",
        ),
        pytest.param(
            """
            - {id: w, write: a/b/f, content: ä}
            - check: steps.w.size == 2 and steps.w.path[0:1] == "/"
            - {command: [cat, "${{ steps.w.path }}"], expect: {stdout: {equals: ä}}}
            - {write: a/b/f, content: new}
            - {command: cat a/b/f, expect: {stdout: {equals: new}}}
            """,
            marks=pytest.mark.language("§6 write"),
            id="write",
        ),
        pytest.param(
            """
            - {write: t, content: "x\\n"}
            - {write: b, base64: AAH/}
            - check: {file: [{path: t, equals: "x\\n"}, {path: b, size: 3}]}
            - {command: od -An -tx1 b, expect: {text: 00 01 ff}}
            """,
            marks=pytest.mark.language("§6 write content, base64"),
            id="write base64",
        ),
        pytest.param(
            """
            - {write: plain, content: x}
            - {write: run, content: x, mode: 0750}
            - {command: stat -c %a plain run, expect: {text: {equals: "644\\n750"}}}
            """,
            marks=pytest.mark.language("§6 write mode"),
            id="write mode",
        ),
        pytest.param(
            """
            - {id: hi, command: echo 1}
            - check: steps.hi.json == 1
            - {check: "${{ steps.hi.ok and true }}"}
            - {check: 1 == 2, allow_failure: true, id: no}
            - check: steps.no.status == "failed"
            """,
            marks=pytest.mark.language("§6 check: expression"),
            id="check expression",
        ),
        pytest.param(
            """
            - command: echo a > f
            - check: {file: {path: f, contains: a}}
            - {id: no, check: {file: g}, allow_failure: true}
            - check: steps.no.ok == false
            """,
            marks=pytest.mark.language("§6 check: subjects"),
            id="check subjects",
        ),
        pytest.param(
            """
            - command: (sleep 0.5; touch flag) > /dev/null 2>&1 &
            - {id: once, check: {file: flag}, allow_failure: true}
            - {check: {file: flag, within: 30s}}
            - check: steps.once.ok == false
            """,
            marks=pytest.mark.language("§6 check within"),
            id="check within",
        ),
        pytest.param(
            """
            - {id: done, command: echo out; exit 3, expect: {exit: 3}}
            - check: {step: done, exit: 3, stdout: out}
            - id: back
              command: sleep 0.3; echo later; sleep 300
              background: true
            - check: {step: back, stdout: later, within: 30s}
            - {id: no, check: {step: done, exit: 0}, allow_failure: true}
            - check: steps.no.ok == false
            """,
            marks=pytest.mark.language("§6 check step"),
            id="check step",
        ),
        pytest.param(
            """
            - {id: made, create: }
            - check: >-
                steps.made.name == "main" and steps.made.provider == "local"
                and steps.made.id == sandbox.id and steps.made.reused == false
            """,
            marks=pytest.mark.language("§6 create"),
            id="create",
        ),
        pytest.param(
            """
            - {id: made, create: {as: box}}
            - check: steps.made.name == "box" and sandbox.name == "box"
            - {in: box, command: true}
            """,
            marks=pytest.mark.language("§6 create as"),
            id="create as",
        ),
        pytest.param(
            """
            - {id: one, create: {as: one, provider: local}}
            - {id: two, create: {as: two, provider: [local]}}
            - {id: three, create: {as: three, provider: auto}}
            - check: steps.one.provider == "local" and steps.two.provider == "local"
            - check: steps.three.provider == "local"
            """,
            marks=pytest.mark.language("§6 create provider"),
            id="create provider",
        ),
        pytest.param(
            """
            - create: {env: {WHERE: box, BOTH: box}}
            - command: echo "$WHERE $BOTH"
              env: {BOTH: step}
              expect: {text: {equals: box step}}
            """,
            marks=pytest.mark.language("§6 create metadata, env"),
            id="create env",
        ),
        pytest.param(
            """
            - create: {resources: {pids: 50, disk: 8MiB}}
            - command: head -c 6M /dev/zero > small
            - command: head -c 9M /dev/zero > big
              expect: {exit: 1, stderr: space}
            """,
            marks=pytest.mark.language("§6 create resources"),
            id="create resources",
        ),
        pytest.param(
            """
            - create: {network: false}
            - command: cat /proc/net/dev
              expect: {stdout: {not_contains: eth}}
            - command: test -z "$http_proxy$HTTP_PROXY"
            """,
            marks=pytest.mark.language("§6 create network"),
            id="create network off",
        ),
        pytest.param(
            """
            - {command: mkdir -p w/sub; echo home > ~/h; echo w > w/f; echo t > /tmp/t}
            - {cwd: w, check: {file: [f, ~/h, /tmp/t]}}
            - {cwd: w, write: sub/new, content: x}
            - {command: test -e w/sub/new}
            - {cwd: w/sub, command: pwd, expect: {text: {matches: "/w/sub$"}}}
            - {cwd: /tmp, command: cat t, expect: {text: t}}
            - {cwd: ~, command: cat h, expect: {text: home}}
            """,
            marks=pytest.mark.language("§7 sandbox paths"),
            id="sandbox paths",
        ),
    ],
)
def test_a_verb_does_what_the_language_says(run: Runs, steps: str) -> None:
    ran = run(f"steps:\n{steps}")
    assert ran.code == 0, (ran.report.failed_step, ran.report.cause)
    assert run.sandboxes() == []
