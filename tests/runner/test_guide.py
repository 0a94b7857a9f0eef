"""What the author's guide shows is what happens."""

from __future__ import annotations

from pathlib import Path

from tests.cli.calls import stable
from tests.runner.guide import GUIDE, Player


def test_every_output_in_the_guide_is_real(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text.count("```console") > 5
    assert stable(Player(tmp_path).play(text)) == stable(text)
