"""How a plain schema chooses between maps: by the key that only one of them has.

With `anyOf`, an editor compares a map with every alternative and tells what is wrong
with each. A chain of `if` settles first which one is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

Exported = dict[str, object]


def ref(name: str) -> Exported:
    """A reference to a definition of the whole schema."""
    return {"$ref": f"#/$defs/{name}"}


def step_of(verbs: Mapping[str, str], usual: Mapping[str, object]) -> Exported:
    """A step: `verbs` are the definitions of each verb's step, in the order asked.

    A step without a verb has the `usual` keys, so that they are known before the verb
    is written.
    """
    offered = {
        **{verb: ref(f"{name}/properties/{verb}") for verb, name in verbs.items()},
        **usual,
    }
    without = {
        "properties": offered,
        **_known_or(
            list(offered),
            {
                "type": "null",
                "errorMessage": f"a step needs a verb: {', '.join(verbs)}",
            },
        ),
    }
    chain = _chain(((verb,), ref(name)) for verb, name in verbs.items())
    return {
        "title": "Step",
        "description": "One action: its verb, and keys that say more of it.",
        "type": "object",
        "errorMessage": "a step is a map with a verb, as `- command: make test`",
        **_ended(chain, without),
    }


def by_own_key(alternatives: Sequence[Exported]) -> Exported | None:
    """Keywords of one map for several; None where they cannot be told apart."""
    known = [_properties(one) for one in alternatives]
    own: list[tuple[str, ...]] = []
    for index, keys in enumerate(known):
        others = {key for other in known[:index] + known[index + 1 :] for key in other}
        own.append(tuple(key for key in keys if key not in others))
    if not all(own):
        return None
    every = {key: value for keys in reversed(known) for key, value in keys.items()}
    without: Exported = {"properties": every, "additionalProperties": False}
    if all("required" in one for one in alternatives):
        needed: Exported = {
            "anyOf": [{"required": one["required"]} for one in alternatives]
        }
        without = {"properties": every, **_known_or(list(every), needed)}
    return _ended(_chain(zip(own, alternatives, strict=True)), without)


def exactly_one(keys: Sequence[str]) -> Exported:
    """Keywords that ask for exactly one of these keys; none = nothing is asked."""
    if not keys:
        return {}
    branches: list[tuple[Sequence[str], Exported]] = [
        ((key,), {"properties": dict.fromkeys(_without(keys, key), False)})
        for key in keys
    ]
    return _ended(_chain(branches), {"required": [keys[0]]})


def _known_or(names: Sequence[str], otherwise: Exported) -> Exported:
    """Refuse a key that is unknown; where all are known, `otherwise` must hold.

    One message: of the key that is unknown, or of what is missing.
    """
    return {
        "if": {"type": "object", "propertyNames": {"enum": list(names)}},
        "then": otherwise,
        "else": {
            "properties": dict.fromkeys(names, True),
            "additionalProperties": False,
        },
    }


_Branch = tuple[Exported, Exported]


def _chain(branches: Iterable[tuple[Sequence[str], Exported]]) -> list[_Branch]:
    return [(_has_one(keys), then) for keys, then in branches]


def _ended(chain: Sequence[_Branch], last: Exported) -> Exported:
    """`if`, `then`, and the rest of the chain as `else`."""
    found: Exported = last
    for condition, then in reversed(chain):
        chained: Exported = {"if": condition, "then": then, "else": found}
        found = chained
    return found


def _has_one(keys: Sequence[str]) -> Exported:
    # A value that is no map would pass `required`.
    if len(keys) == 1:
        return {"type": "object", "required": list(keys)}
    return {"type": "object", "anyOf": [{"required": [key]} for key in keys]}


def _without(keys: Sequence[str], key: str) -> list[str]:
    return [other for other in keys if other != key]


def _properties(schema: Exported) -> Mapping[str, object]:
    return cast("Mapping[str, object]", schema.get("properties", {}))
