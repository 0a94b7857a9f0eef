"""The benches of E2B work, in small: what they measure is looked at by command."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.bench._e2b import RAW, far
from tests.bench._place import BenchError, open_place
from tests.bench._runbooks import write_runbook


def test_runs_at_once_are_green_and_leave_nothing() -> None:
    with open_place() as place, far(place) as there:
        file = str(write_runbook(place.folder, 1))
        told = there.ask("runs_at_once", file, "5")
        assert told["errors"] == [0]
        assert told["each cpu"][0] > 0
        assert there.sample([*RAW, "2"]).cpu > 0


def test_a_request_that_nobody_answers_spoils_a_bench() -> None:
    with pytest.raises(BenchError, match="unknown route: GET /nothing"):
        _ask_for_nothing()


def _ask_for_nothing() -> None:
    with open_place() as place, far(place) as there:
        url = f"{there.env['E2B_API_URL']}/nothing"
        with pytest.raises(HTTPError, match="404") as caught:
            urlopen(url)  # noqa: S310 - our own
        caught.value.close()
