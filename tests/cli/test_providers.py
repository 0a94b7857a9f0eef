"""`sandbook providers`, `sandbook plan` and `sandbook doctor`."""

from __future__ import annotations

import sqlite3

from tests.cli.calls import Cli, bare_plugin

HELLO = "steps: [{name: Greet, command: echo hi}]"


def test_a_ready_provider_tells_its_isolation_and_what_it_can_do(cli: Cli) -> None:
    called = cli("providers")
    assert (called.code, called.err) == (0, "")
    lines = called.out.splitlines()
    first = lines.index("local: ready, isolation process")
    second = "  this computer, by Linux namespaces; shares its kernel"
    assert lines[first + 1] == second
    rows = cli("providers", "--json").rows("providers")
    row = next(row for row in rows if row["name"] == "local")
    assert row["state"] == "ready"
    assert "exec" in row["native"]


def test_a_provider_without_its_key_is_told_without_being_loaded(cli: Cli) -> None:
    bare_plugin(cli, "1 / 0", credentials=("BARE_KEY",))
    # A plugin's module describes; what works stands in another one.
    module = (cli.site / "plugin_bare.py").read_text()
    (cli.site / "plugin_bare.py").write_text(
        module.replace("1 / 0", "").replace('f"{__name__}:Provider"', '"sdk:Provider"')
    )
    (cli.site / "sdk.py").write_text("1 / 0")
    rows = cli("providers", "--json").rows("providers")
    bare = next(row for row in rows if row["name"] == "bare")
    assert bare["state"] == "not_configured"
    assert bare["message"] == "BARE_KEY is not set"
    assert bare["remedy"] == "set BARE_KEY"
    set_ = cli("providers", "--json", env={"BARE_KEY": "k"}).rows("providers")
    assert next(row for row in set_ if row["name"] == "bare")["state"] == "broken"


def test_broken_plugins_are_listed_with_the_reason(cli: Cli) -> None:
    cli.plugin("wreck", code="import nothing_of_that_name")
    cli.plugin("hooks", code="1 / 0", group="sandbook")
    called = cli("providers")
    assert called.code == 0
    assert "wreck: broken\n" in called.out
    assert "No module named 'nothing_of_that_name'" in called.out
    assert "broken: plugin 'hooks' of sandbook_hooks" in called.out
    data = cli("providers", "--json").json()
    assert {each["name"] for each in data["problems"]} == {"wreck", "hooks"}


def test_plan_tells_who_is_chosen_and_why_others_are_not(cli: Cli) -> None:
    bare_plugin(cli, credentials=("BARE_KEY",))
    book = cli.book("""
        name: Planned
        inputs: {who: {default: world}}
        secrets: [TOKEN]
        sandbox: {network: false, timeout: 5m, resources: {pids: 50, disk: 64MiB}}
        timeout: 10m
        steps:
          - command: echo "${{ inputs.who }}"
          - {name: Look, check: 1 == 1}
        finally:
          - {name: Tidy, command: "true"}
        artifacts: [out/*.txt]
    """)
    called = cli("plan", book, "--provider", "bare,local", "-i", "who=me")
    assert (called.code, called.err) == (0, "")
    assert (
        called.out
        == """\
Planned  book.yaml
  inputs     who = "me"
  secrets    TOKEN
  sandbox    main: local (process)
               not bare: BARE_KEY is not set
               isolation at least process; network off
               lives 5m without us
               limits pids 50, disk 64MiB
               needs exec, limits.disk, limits.pids, net.off
  steps      echo "${{ inputs.who }}"  book.yaml:8:5
             Look  book.yaml:9:5
  finally    Tidy  book.yaml:11:5
  artifacts  out/*.txt
  timeout    10m
"""
    )
    assert not any((cli.state / "runs").iterdir())


def test_plan_is_data_with_json(cli: Cli) -> None:
    (plan,) = cli("plan", cli.book(HELLO), "--json").rows("plans")
    assert plan["name"] == "book"
    (box,) = plan["sandboxes"]
    assert (box["name"], box["provider"], box["isolation"]) == (
        "main",
        "local",
        "process",
    )
    (step,) = plan["steps"]
    assert (step["name"], step["verb"], step["at"]) == (
        "Greet",
        "command",
        "book.yaml:2:9",
    )


def test_a_plan_that_nobody_can_carry_out_is_exit_3(cli: Cli) -> None:
    bare_plugin(cli, credentials=("BARE_KEY",))
    called = cli("plan", cli.book(HELLO), "--provider", "bare")
    assert called.code == 3
    assert "main: no provider can make it\n" in called.out
    assert "not bare: BARE_KEY is not set" in called.out


def test_a_plan_needs_its_inputs(cli: Cli) -> None:
    called = cli("plan", cli.book("inputs: {n: {}}\nsteps: [{command: 'true'}]"))
    assert (called.code, called.out) == (2, "")
    assert "input 'n': must be given" in called.err


def test_doctor_is_content_where_everything_works(cli: Cli) -> None:
    called = cli("doctor")
    assert (called.code, called.err) == (0, "")
    # Who has no key of E2B is told where to get one.
    lines = [line for line in called.out.splitlines() if not line.startswith("   ")]
    away = [line for line in lines if not line.startswith("ok ")]
    assert away == [
        "unused   provider e2b: not configured: E2B_API_KEY is not set",
    ]
    names = [line.split(":")[0].split(maxsplit=1)[1] for line in lines]
    assert names == [
        "sandbook",
        "python",
        "platform",
        "state",
        "settings",
        "ledger",
        "plugins",
        "provider e2b",
        "provider local",
        "leftovers",
    ]


def test_doctor_warns_of_a_chosen_provider_that_is_not_set_up(cli: Cli) -> None:
    called = cli("doctor", env={"SANDBOOK_PROVIDERS": "e2b,local"})
    assert called.code == 0
    assert "warning  provider e2b: not configured" in called.out


def test_doctor_names_a_broken_plugin_and_goes_on(cli: Cli) -> None:
    cli.plugin("hooks", code="1 / 0", group="sandbook")
    called = cli("doctor")
    assert called.code == 1
    assert "problem  plugins: plugin 'hooks' of sandbook_hooks" in called.out
    assert "SANDBOOK_DISABLE_PLUGINS=hooks" in called.out
    assert "ok       provider local: " in called.out
    assert cli("doctor", env={"SANDBOOK_DISABLE_PLUGINS": "hooks"}).code == 0


def test_doctor_names_a_damaged_ledger(cli: Cli) -> None:
    cli.state.mkdir(mode=0o700)
    (cli.state / "ledger.db").write_bytes(b"this is no database" * 100)
    called = cli("doctor")
    assert called.code == 1
    assert "problem  ledger: the ledger" in called.out
    assert "is damaged" in called.out
    assert "ok       provider local: " in called.out


def test_doctor_names_counters_that_do_not_fit(cli: Cli) -> None:
    assert cli("run", cli.book(HELLO), "-q").code == 0
    with sqlite3.connect(cli.state / "ledger.db") as db:
        db.execute("UPDATE counter SET used = used + 5 WHERE meter = 'sessions'")
    db.close()
    called = cli("doctor", "--json")
    assert called.code == 1
    rows = {row["name"]: row for row in called.rows("checks")}
    assert rows["ledger"]["state"] == "problem"
    words = "counters that disagree with its events: 1"
    assert rows["ledger"]["message"] == words


def test_doctor_names_a_state_folder_that_cannot_be_used(cli: Cli) -> None:
    file = cli.folder / "file"
    file.write_text("")
    called = cli("doctor", env={"SANDBOOK_STATE": str(file / "state")})
    assert called.code == 1
    assert "problem  state: the folder" in called.out


def test_doctor_names_wrong_settings(cli: Cli) -> None:
    (cli.folder / "sandbook.yaml").write_text("provider: [local]\n")
    called = cli("doctor")
    assert called.code == 1
    assert "problem  settings: " in called.out
    assert "unknown key 'provider'" in called.out


def test_two_plugins_of_one_name_are_both_named(cli: Cli) -> None:
    cli.plugin("twin", code="", target="one", distribution="first")
    cli.plugin("twin", code="", target="two", distribution="second")
    called = cli("run", cli.book(HELLO))
    assert called.code == 2
    assert "two plugins are named 'twin'" in called.err
    assert "first" in called.err
    assert "second" in called.err
