"""Secrets do not survive masking, and nothing else changes."""

from __future__ import annotations

import base64
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
    "shell word": shlex.quote,
    "double quotes": lambda s: "".join(f"\\{c}" if c in '"$`\\' else c for c in s),
}


def streamed(masker: Masker, data: bytes, cuts: list[int]) -> bytes:
    stream = masker.stream()
    shown = b""
    start = 0
    for cut in (*sorted(cuts), len(data)):
        shown += stream.feed(data[start:cut])
        start = max(start, cut)
    return shown + stream.flush()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
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
    form=st.sampled_from(list(FORMS)),
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


def test_overlapping_secrets_leave_no_rest() -> None:
    masker = Masker({"A": "abcdef", "B": "defghi"})
    assert masker.text("<abcdefghi>") == "<***>"
    assert Masker({"A": "abcdef", "B": "bcdefg"}).text("abcdefg") == "***"


def test_the_longer_of_two_secrets_that_begin_alike_is_hidden_whole() -> None:
    masker = Masker({"A": "token", "B": "token-long"})
    assert masker.text("token-long token") == "*** ***"
    assert streamed(masker, b"token-long token", [5, 8]) == b"*** ***"


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
