"""Secrets do not survive masking, and nothing else changes."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.masking import Masker
from tests.sandbook.told_runs import unhurried

VALUE = "p4ss w0rd/+'\"$é\\!"
# Letters that no secret below is made of, so that a text of them holds none.
OTHERS = st.text(alphabet="ghijkl \n", max_size=30)
SECRETS = st.text(alphabet="abcdef é/+'\"$\\&\t", min_size=6, max_size=40)
FORMS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "json": json.dumps,
    "json in utf-8": lambda s: json.dumps(s, ensure_ascii=False),
    "url": lambda s: quote(s, safe=""),
    "url path": quote,
    "url in lower case": lambda s: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(s, safe="")
    ),
    "form": quote_plus,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of a line": lambda s: base64.b64encode(s.encode() + b"\n").decode(),
    "base64 after one byte": lambda s: base64.b64encode(b"x" + s.encode()).decode(),
    "base64 after two": lambda s: base64.b64encode(b"xy" + s.encode() + b"z").decode(),
    "url-safe base64": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "python": repr,
    "python beside a double quote": lambda s: repr(f'{s}"'),
    "python bytes": lambda s: repr(s.encode()),
    "base64 of json": lambda s: base64.b64encode(json.dumps(s).encode()).decode(),
    "base64 in a url": lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""),
    "hex": lambda s: s.encode().hex(),
    "html": html.escape,
    "capitals": str.upper,
    "backwards": lambda s: s[::-1],
    "shell word": shlex.quote,
    "double quotes": lambda s: "".join(f"\\{c}" if c in '"$`\\' else c for c in s),
}


OF_LONG_ONES = ("capitals", "backwards")
"""Forms that of a short secret would hide too much else."""


def streamed(masker: Masker, data: bytes, cuts: list[int]) -> bytes:
    stream = masker.stream()
    shown = b""
    start = 0
    for cut in (*sorted(cuts), len(data)):
        shown += stream.feed(data[start:cut])
        start = max(start, cut)
    return shown + stream.flush()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.language("§3 masked forms")
def test_a_secret_is_hidden_in_each_form_that_tools_make_of_it(
    form: Callable[[str], str],
) -> None:
    shown = Masker({"T": VALUE}).text(f"before {form(VALUE)} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "***" in shown
    # At most the edges of a base64 group and the quotes of a form are left.
    assert len(shown.replace("before ", "").replace(" after", "")) <= 9


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_form_that_is_cut_in_two_anywhere_is_hidden(
    form: Callable[[str], str],
) -> None:
    masker = Masker({"T": VALUE})
    data = form(VALUE).encode()
    for cut in range(len(data)):
        assert streamed(masker, data, [cut]).decode() == masker.text(form(VALUE))


@unhurried
@given(
    secret=SECRETS,
    form=st.sampled_from([name for name in FORMS if name not in OF_LONG_ONES]),
    before=OTHERS,
    after=OTHERS,
    cuts=st.lists(st.integers(0, 200), max_size=12),
)
def test_a_planted_secret_never_survives_any_cutting_into_chunks(
    secret: str, form: str, before: str, after: str, cuts: list[int]
) -> None:
    masker = Masker({"T": secret})
    text = before + FORMS[form](secret) + after
    shown = streamed(masker, text.encode(), cuts).decode()
    assert secret not in shown
    assert FORMS[form](secret) not in shown
    assert "***" in shown
    assert shown == masker.text(text)


@unhurried
@given(
    text=st.text(alphabet="ab", max_size=60),
    secrets=st.lists(st.text(alphabet="ab", min_size=4, max_size=9), max_size=4),
    cuts=st.lists(st.integers(0, 60), max_size=20),
)
def test_chunks_never_change_what_is_masked_even_when_secrets_overlap(
    text: str, secrets: list[str], cuts: list[int]
) -> None:
    masker = Masker({str(i): secret for i, secret in enumerate(secrets)})
    shown = streamed(masker, text.encode(), cuts).decode()
    assert shown == masker.text(text)
    assert not any(secret in shown for secret in secrets)


@unhurried
@given(text=st.text(alphabet="ghijkl\r\n\x00é\ud800€"))
def test_text_without_secrets_is_unchanged(text: str) -> None:
    masker = Masker({"T": "abcdef", "U": "other-secret"})
    assert masker.text(text) == text
    assert masker.name(text) == text


@unhurried
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200)))
def test_bytes_without_secrets_pass_through_as_they_are(
    data: bytes, cuts: list[int]
) -> None:
    assert streamed(Masker({"T": "§§§§ §§§§ §§§§"}), data, cuts) == data


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("quoting", ["printf %q", "printf '%s' ", "set -x; true"])
def test_a_secret_as_bash_quotes_it_is_hidden(locale: str, quoting: str) -> None:
    for secret in (VALUE, "~tilde #hash", "tab\tand\x1b[1mescape", "a,b^c:~d=~e-f+g%h"):
        script = quoting.replace("%s' ", '%s\' "${T@Q}"; :')
        made = subprocess.run(
            ["bash", "-c", f'{script} "$T"'],
            env={"T": secret, "LC_ALL": locale},
            capture_output=True,
            check=True,
        )
        said = made.stdout + made.stderr
        stream = Masker({"T": secret}).stream()
        shown = stream.feed(said) + stream.flush()
        assert b"***" in shown, said
        # Quotes around it, and the name of the command.
        assert len(shown.replace(b"***", b"").replace(b"+ true ", b"")) <= 4, shown


@unhurried
@given(st.text(alphabet="ab'\"$\\ ~#!,^*\t\x01é€", min_size=6, max_size=20))
def test_whatever_a_secret_is_made_of_its_shell_forms_are_hidden(secret: str) -> None:
    masker = Masker({"T": secret})
    if len(secret.strip("\r\n")) < 4:
        return
    assert secret not in masker.text(f"<{shlex.quote(secret)}> {secret!r}")


@pytest.mark.parametrize(
    ("cut", "shown"),
    [
        ("it is secret-tok… (90 characters)", "it is ***… (90 characters)"),
        ("…et-token-1234 was it", "…*** was it"),
        ("no sec…", "no sec…"),
        ("secret-\n[... 12 bytes dropped ...]\nken-1234\n", None),
        ("a…b…c", "a…b…c"),
        ("se…1234", "se…***"),
    ],
)
def test_what_a_cut_left_of_a_secret_is_hidden(cut: str, shown: str | None) -> None:
    masker = Masker({"T": "secret-token-1234"})
    expected = shown or "***\n[... 12 bytes dropped ...]\n***\n"
    assert masker.text(cut) == expected


def test_a_hundred_secrets_that_begin_alike_are_all_hidden() -> None:
    secrets = {str(i): f"ghp_{i:03d}{'x' * (i % 7)}-end" for i in range(100)}
    masker = Masker(secrets)
    text = " ".join(secrets.values())
    assert masker.text(text) == " ".join(["***"] * 100)
    assert streamed(masker, text.encode(), list(range(0, 1500, 7))).decode() == (
        masker.text(text)
    )


def test_a_secret_of_a_hundred_kilobytes_is_hidden_in_any_pieces() -> None:
    key = "".join(chr(33 + (i * i + i // 90) % 90) for i in range(100_000))
    masker = Masker({"KEY": key})
    form = b"a" + key.encode() + b"b" + base64.b64encode(key.encode()) + b"c"
    shown = streamed(masker, form, list(range(0, len(form), 4096)))
    assert shown == b"a***b***c"


def test_a_secret_may_hold_what_means_something_in_patterns() -> None:
    masker = Masker({"T": "(a|b)*[^c]$.+?"})
    assert masker.text("<(a|b)*[^c]$.+?> aaaa") == "<***> aaaa"


def test_overlapping_secrets_leave_no_rest() -> None:
    masker = Masker({"A": "abcdef", "B": "defghi"})
    assert masker.text("<abcdefghi>") == "<***>"
    assert Masker({"A": "abcdef", "B": "bcdefg"}).text("abcdefg") == "***"


def test_the_longer_of_two_secrets_that_begin_alike_is_hidden_whole() -> None:
    masker = Masker({"A": "token", "B": "token-long"})
    assert masker.text("token-long token") == "*** ***"
    assert streamed(masker, b"token-long token", [5, 8]) == b"*** ***"


@pytest.mark.language("§3 masked forms")
def test_lines_of_a_secret_are_hidden_but_not_its_short_ones() -> None:
    masker = Masker({"KEY": "first line\nab\nlast line\n"})
    assert masker.text("first line|ab|last line") == "***|ab|***"


def test_the_line_end_of_a_secret_from_a_file_is_not_swallowed() -> None:
    masker = Masker({"KEY": "\nfirst line\nlast line\n"})
    assert masker.text("first line\nlast line\nnext") == "***\nnext"
    assert masker.stream().feed(b"a line\n") == b"a line\n"


@pytest.mark.parametrize("columns", [64, 76])
def test_base64_that_a_tool_breaks_into_lines_is_hidden(columns: int) -> None:
    key = "".join(chr(33 + i * 7 % 90) for i in range(300))
    made = subprocess.run(
        ["base64", "-w", str(columns)],
        input=key,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert made.count("\n") > 3
    assert set(Masker({"KEY": key}).text(made)) <= {"*", "\n"}


def test_output_is_not_delayed_unless_it_may_begin_a_secret() -> None:
    stream = Masker({"T": "secret-token"}).stream()
    assert stream.feed(b"Password: ") == b"Password: "
    assert stream.feed(b"no sec") == b"no "
    assert stream.feed(b"ond thought") == b"second thought"
    assert stream.feed(b"secret-tok") == b""
    assert stream.feed(b"en!") == b"***!"
    assert stream.feed(b"secret") == b""
    assert stream.flush() == b"secret"


@unhurried
@given(st.lists(st.text(alphabet="abc", max_size=8), max_size=40))
def test_never_more_is_held_back_than_the_longest_form_less_one(
    chunks: list[str],
) -> None:
    stream = Masker({"T": "abcabcab"}).stream()
    longest = len(base64.b64encode(b"abcabcab\n"))
    fed = shown = b""
    for chunk in chunks:
        fed += chunk.encode()
        shown += stream.feed(chunk.encode())
        if b"*" in shown:
            return
        assert len(fed) - len(shown) < longest


def test_data_is_masked_in_keys_texts_and_numbers_at_any_depth() -> None:
    masker = Masker({"PIN": "12345", "NAME": "alice"})
    data = masker.data(
        {"alice": [12345, 1.5, True, None, {"x": "for alice"}], "n": 912345.0}
    )
    assert data == {
        "***": ["***", 1.5, True, None, {"x": "for ***"}],
        "n": "9***.0",
    }


def test_keys_that_become_equal_keep_their_values() -> None:
    masker = Masker({"A": "alpha", "B": "beta"})
    assert masker.data({"alpha": 1, "beta": 2, "x": 3}) == {
        "***": 1,
        "*** (2)": 2,
        "x": 3,
    }


def test_a_file_name_gets_no_stars() -> None:
    assert Masker({"A": "alice"}).name("alice.txt") == "___.txt"


def test_without_secrets_everything_is_the_same_object() -> None:
    masker = Masker({"EMPTY": ""})
    data: dict[str, list[int]] = {"a": [1]}
    chunk = b"chunk"
    assert masker.data(data) is data
    assert masker.stream().feed(chunk) is chunk


def test_a_masker_does_not_show_its_secrets() -> None:
    assert "alice" not in repr(Masker({"A": "alice"}))
