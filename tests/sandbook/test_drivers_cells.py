"""What is kept of a cell far away, and what of it is told."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any

from sandbook.drivers.inside import cell as cells
from sandbook.drivers.inside.cell import Cell, Kept
from sandbook.drivers.inside.viewer import Viewer

MEBIBYTE = 1 << 20


def made(key: str = "key") -> Cell:
    return Cell({"key": key, "life": "life"})


def told(cell: Cell) -> list[list[Any]]:
    return [json.loads(line)["event"] for line in cell.lines]


def texts(cell: Cell, stream: str) -> str:
    return "".join(e[2] for e in told(cell) if e[:2] == ["text", stream])


def end(cell: Cell) -> None:
    cell.done("ok", {}, kept=True, count=1, life="life")


def test_of_much_output_the_first_goes_out_at_once_and_the_last_at_the_end() -> None:
    cell = made()
    for number in range(3):
        cell.text("stdout", str(number) * MEBIBYTE)
    cell.text("stderr", "beside")
    assert texts(cell, "stdout") == "0" * MEBIBYTE
    end(cell)
    head, mark, tail = texts(cell, "stdout").split("\n")[:3]
    assert head == "0" * MEBIBYTE
    assert mark == f"[truncated: {2 * MEBIBYTE - (128 << 10)} characters left out]"
    assert tail == "2" * (128 << 10)
    assert texts(cell, "stderr") == "beside"
    assert told(cell)[-1][0] == "done"


def test_a_large_result_comes_in_parts_and_one_that_is_too_large_is_named() -> None:
    cell = made()
    data = base64.b64encode(bytes(range(256)) * 4096).decode()
    cell.rich({"image/png": data, "text/plain": "eA=="}, main=True)
    parts = [event for event in told(cell) if event[0] == "part"]
    assert all(len(event[2]) <= 48 << 10 for event in parts)
    joined = "".join(event[2] for event in parts if event[1] == "image/png")
    assert joined == data
    assert told(cell)[-1] == ["rich", ["image/png", "text/plain"], True]
    cell.rich({"image/png": "A" * (23 << 20)}, main=False)
    assert "too large" in texts(cell, "stderr")
    assert [event[0] for event in told(cell)].count("rich") == 1


def test_of_the_oldest_cells_only_how_they_ended_is_kept() -> None:
    kept = Kept()
    all_made: list[Cell] = []
    per_cell = cells.KEPT // 4
    for number in range(6):
        cell = made(str(number))
        cell.failed("ValueError", str(number), "")
        data = "A" * (per_cell // 2)
        cell.rich({"image/png": data}, main=False)
        cell.rich({"image/png": data}, main=False)
        end(cell)
        kept.add(cell)
        all_made.append(cell)
    oldest, newest = all_made[0], all_made[-1]
    assert [event[0] for event in told(oldest)] == ["text", "failed", "done"]
    assert "not kept" in texts(oldest, "stderr")
    assert [event[0] for event in told(newest)].count("rich") == 2
    assert sum(cell.size for cell in all_made) <= cells.KEPT + (1 << 20)


def test_whoever_reads_a_cell_that_is_forgotten_goes_on_with_what_there_was() -> None:
    cell = made()
    cell.text("stdout", "before")
    end(cell)
    reading = cell.lines
    cell.forget()
    assert [json.loads(line)["event"][0] for line in reading] == ["text", "done"]
    assert len(cell.lines) == 2
    assert "not kept" in texts(cell, "stderr")


def test_who_comes_again_for_what_is_forgotten_hears_how_it_ended() -> None:
    cell = made()
    for number in range(10):
        cell.text("stdout", str(number))
    end(cell)
    cell.forget()
    here, there = socket.socketpair()
    with here, there:
        viewer = Viewer(there)
        viewer.view(cell, after=8)
        assert viewer.send()
        lines = here.recv(1 << 16).splitlines()
    assert [json.loads(line)["event"][0] for line in lines] == ["text", "done"]
