"""What a runbook may contain: the common keys, composed with the verbs' own fragments.

One description serves two readers. The loader walks the fragments themselves, since
it must read each scalar by its `x-kind` and report every problem where it stands;
editors get `runbook_schema`, plain JSON Schema. The part of JSON Schema that
fragments may use: type, properties, additionalProperties, required, minProperties,
items, minItems, enum, const, anyOf, pattern, minimum, maximum, $ref into the $defs
of the fragment, and the keywords below.

x-kind      how the text of a scalar is read (`sandbook.api.Schema`)
x-static    no expression may stand here
x-none      the text `none` may stand here, and means no limit
x-line      takes the rest of its line as texts of the kinds line, shell and code do
x-hash      ` #` in such a text is kept, with a warning
x-names     the keys of the map are names
x-env       … and not those that belong to Sandbook
x-subjects  the names of expectations whose matchers are added to `properties`
x-steps     a list of steps
x-located   the places of the maps in it are kept for the step
"""

from sandbook.schema._atoms import NAME_PATTERN
from sandbook.schema._export import runbook_schema, schema_text, write_schema
from sandbook.schema._fragments import (
    alternatives,
    items_of,
    kind_of,
    others_of,
    properties_of,
    resolve,
    words_of,
)
from sandbook.schema._keys import (
    COMMON_FIELDS,
    COMMON_RESULTS,
    CREATE,
    INPUT,
    STEP_KEYS,
    VERSION,
    step_keys,
    top_keys,
)
from sandbook.schema._shipped import shipped_schema
from sandbook.schema._subjects import SUBJECTS, TEXT_MATCHERS
from sandbook.schema._words import type_words, value_words, yaml_of

__all__ = [
    "COMMON_FIELDS",
    "COMMON_RESULTS",
    "CREATE",
    "INPUT",
    "NAME_PATTERN",
    "STEP_KEYS",
    "SUBJECTS",
    "TEXT_MATCHERS",
    "VERSION",
    "alternatives",
    "items_of",
    "kind_of",
    "others_of",
    "properties_of",
    "resolve",
    "runbook_schema",
    "schema_text",
    "shipped_schema",
    "step_keys",
    "top_keys",
    "type_words",
    "value_words",
    "words_of",
    "write_schema",
    "yaml_of",
]
