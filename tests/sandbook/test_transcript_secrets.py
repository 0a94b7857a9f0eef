"""What is typed hidden at a terminal becomes a secret, and is stored nowhere."""

from __future__ import annotations

import pytest

from sandbook.api import EchoState
from sandbook.transcript import Ended, Line, LogEvent, Shown, Typed
from tests.sandbook.sessions import draft, script, shown, typed

TYPED = "hunter2 and more"


def test_what_is_typed_hidden_is_a_secret_and_its_value_is_in_no_line() -> None:
    found = draft(
        shown("[sudo] password for bob: "),
        *typed(f"{TYPED}\r", "hidden"),
        shown("Enter your API token: "),
        *typed("tox\x7fk-1234\r", "hidden"),
        shown("Retype password: "),
        *typed(f"{TYPED}\r", "hidden"),
    )
    assert found.lines == (
        Line("see", "[sudo] password for bob:"),
        Line("secret", "SUDO_PASSWORD"),
        Line("see", "Enter your API token:"),
        Line("secret", "API_TOKEN"),
        Line("see", "Retype password:"),
        Line("secret", "SUDO_PASSWORD"),
    )
    assert found.secrets == {
        "SUDO_PASSWORD": TYPED,
        "API_TOKEN": "tok-1234",
    }
    assert TYPED not in repr(found)


def test_two_secrets_of_one_prompt_have_two_names() -> None:
    found = draft(
        shown("Password: "),
        *typed("first-one\r", "hidden"),
        shown("Password: "),
        *typed("second-one\r", "hidden"),
    )
    assert found.secrets == {"PASSWORD": "first-one", "PASSWORD_2": "second-one"}


def test_a_hidden_text_that_was_given_up_is_stored_nowhere() -> None:
    found = draft(
        shown("Password: "),
        *typed(TYPED, "hidden"),
        Typed(b"\x03", "hidden"),
        shown("\n$ "),
        *typed("exit\r"),
    )
    assert [line.name for line in found.lines] == ["see", "press", "see", "enter"]
    assert TYPED not in str(found.lines)
    left = draft(shown("Password: "), *typed(TYPED, "hidden"), Ended(None))
    assert TYPED not in str(left.lines)


def test_just_enter_at_a_hidden_prompt_is_no_secret() -> None:
    log = (shown("Passphrase (empty for none): "), *typed("\r", "hidden"))
    assert script(*log)[-1] == Line("enter", "")


@pytest.mark.parametrize("echo", ["program", None])
def test_what_a_program_hides_by_itself_is_a_secret_too(echo: EchoState | None) -> None:
    log: list[LogEvent] = [shown("Password: ")]
    for char in TYPED:
        log += [Typed(char.encode(), echo), Shown(b"*")]
    log += [Typed(b"\r", echo)]
    found = draft(*log)
    last = found.lines[-1]
    assert (last.name, last.value) == ("secret", "PASSWORD")
    assert "by itself" in last.comment
    visible = draft(shown("Password: "), *typed("visible\r", echo))
    assert visible.lines[-1] == Line("enter", "visible")


def test_a_secret_that_is_typed_or_shown_elsewhere_is_masked() -> None:
    found = draft(
        shown("$ "),
        *typed(f"login {TYPED}\r"),
        shown("Password: "),
        *typed(f"{TYPED}\r", "hidden"),
        shown(f"you said {TYPED}: "),
        *typed("yes\r"),
    )
    assert found.lines == (
        Line("see", "$"),
        Line("enter", "login ***", "a secret stood here"),
        Line("see", "Password:"),
        Line("secret", "PASSWORD"),
        Line("enter", "yes"),
    )


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Password: ", "PASSWORD"),
        ("Enter PIN code: ", "PIN_CODE"),
        ("Please enter your new passphrase: ", "PASSPHRASE"),
        ("Passphrase for key '/home/me/.ssh/id': ", "PASSPHRASE"),
        ("database password (empty = none): ", "DATABASE_PASSWORD"),
        ("? ", "PASSWORD"),
        ("geheim: ", "GEHEIM"),
    ],
)
def test_a_secret_is_called_as_it_was_asked_for(prompt: str, name: str) -> None:
    found = draft(shown(prompt), *typed("a-value\r", "hidden"))
    assert list(found.secrets) == [name]
