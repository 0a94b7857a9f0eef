"""A process that knows nothing of ours: does one operation on a provider it makes.

Reads a JSON object from stdin, prints the operation's answer as one JSON line.
"""

from __future__ import annotations

import json
import sys

import anyio

from sandbook.testing._operations import OPERATIONS
from sandbook.testing._subject import Subject, settings_from_json


def main() -> None:
    """Do what stdin asks."""
    asked = json.loads(sys.stdin.buffer.read())
    subject = Subject(
        provider=asked["provider"], settings=settings_from_json(asked["settings"])
    )
    operation = OPERATIONS[asked["operation"]]
    answer = anyio.run(operation, subject, asked["with"])
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
