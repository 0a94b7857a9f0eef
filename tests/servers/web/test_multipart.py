"""Forms are read whole, however they come."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.web.multipart import BrokenFormError, boundary_of, parts

_ROWS = st.lists(
    st.tuples(
        st.text("abc", min_size=1, max_size=3),
        st.one_of(
            st.binary(max_size=60), st.sampled_from([b"\r\n--", b"\r\n--bou", b"--"])
        ),
    ),
    max_size=4,
)


def _form(rows: list[tuple[str, bytes]]) -> bytes:
    form = b""
    for name, data in rows:
        form += b"--boundary\r\nContent-Disposition: form-data; "
        form += f'name="{name}"; filename="/f/{name}"\r\n\r\n'.encode() + data + b"\r\n"
    return form + b"--boundary--\r\n"


def _read(form: bytes, size: int) -> list[tuple[str, str | None, bytes]]:
    async def pieces() -> AsyncIterator[bytes]:
        for place in range(0, len(form), size):
            yield form[place : place + size]

    async def read() -> list[tuple[str, str | None, bytes]]:
        found: list[tuple[str, str | None, bytes]] = []
        async for part in parts(pieces(), b"boundary"):
            data = b"".join([piece async for piece in part.data])
            found.append((part.name, part.filename, data))
        return found

    return anyio.run(read)


@given(rows=_ROWS, size=st.integers(1, 80))
def test_every_part_comes_out_as_it_went_in(
    rows: list[tuple[str, bytes]], size: int
) -> None:
    rows = [(name, data) for name, data in rows if b"\r\n--boundary" not in data]
    assert _read(_form(rows), size) == [(n, f"/f/{n}", data) for n, data in rows]


@pytest.mark.parametrize("cut", [0, 5, 40, 90, 110])
def test_a_form_that_ends_early_is_broken(cut: int) -> None:
    with pytest.raises(BrokenFormError):
        _read(_form([("a", b"x" * 50)])[:cut], 16)


def test_the_boundary_is_in_the_content_type() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    with pytest.raises(BrokenFormError):
        boundary_of("multipart/form-data")
