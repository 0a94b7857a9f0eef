"""A description that imports what it does not need."""

import dataclasses
import xml.dom.minidom

import jsonschema

from tests.providers.bare import INFO as BARE

INFO = dataclasses.replace(
    BARE, summary=f"{BARE.summary} {jsonschema.__name__} {xml.dom.minidom.__name__}"
)
