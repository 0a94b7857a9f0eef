"""What tools that know nothing of Sandbook read in a YAML file."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

import yaml

_TRUE_FALSE = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")


class _Yaml11(yaml.SafeLoader):
    """YAML 1.1, as most tools still read it. Keys are texts, as in JSON."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's own signature
    ) -> dict[Hashable, Any]:
        del deep
        self.flatten_mapping(node)
        loader: Any = self
        return {
            str(key.value): loader.construct_object(value, deep=True)
            for key, value in node.value
        }


class _Yaml12(_Yaml11):
    """The core schema of YAML 1.2, as editors read it."""

    yaml_implicit_resolvers: Mapping[str, Any] = {}  # type: ignore[assignment]  # PyYAML has no types for it

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = str(node.value)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_Yaml11.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in found if not tag.endswith("timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12.yaml_implicit_resolvers = {}
_loader: Any = _Yaml12
for _tag, _regexp in (
    ("bool", _TRUE_FALSE),
    ("null", _NULL),
    ("int", _INT),
    ("float", _FLOAT),
):
    _loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _regexp, None)
_loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^<<$"), ["<"])
_Yaml12.add_constructor("tag:yaml.org,2002:int", _Yaml12.construct_yaml_int)


def read_11(text: str) -> object:
    """As YAML 1.1."""
    return yaml.load(text, _Yaml11)  # noqa: S506 - a kind of SafeLoader


def read_12(text: str) -> object:
    """As YAML 1.2."""
    return yaml.load(text, _Yaml12)  # noqa: S506 - a kind of SafeLoader


READINGS = {"YAML 1.1": read_11, "YAML 1.2": read_12}
