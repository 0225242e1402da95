"""JSON as text: what `json.dumps` writes with an indent of 2, a record at a time.

The standard library's encoder gives every comma as a string of its own, which for a long
derivation takes more memory than the text.
"""

from __future__ import annotations

import re
from json import JSONEncoder
from json.encoder import encode_basestring
from typing import Any

_scalar = JSONEncoder(ensure_ascii=False).encode
_half_of_a_pair = re.compile("[\ud800-\udfff]").search


def dumped(value: Any) -> str:
    """Dictionaries with names as keys, lists and scalars as text.

    Half of a surrogate pair, from an argument that was no UTF-8, stays as its escape.

    >>> print(dumped({"name": "u1", "shape": [], "of": ["x"]}))
    {
      "name": "u1",
      "shape": [],
      "of": [
        "x"
      ]
    }
    """
    shown = _written(value, "\n")
    if _half_of_a_pair(shown):
        return shown.encode("utf-8", "backslashreplace").decode("utf-8")
    return shown


def _written(value: Any, line: str) -> str:
    """The value; `line` begins a line at its level. It is as deep as the schema, never more."""
    if type(value) is str:
        return encode_basestring(value)
    inner = line + "  "
    if isinstance(value, dict) and value:
        members = [
            f"{encode_basestring(key)}: {_written(item, inner)}" for key, item in value.items()
        ]
        return f"{{{inner}{(',' + inner).join(members)}{line}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{inner}{(',' + inner).join([_written(item, inner) for item in value])}{line}]"
    return _scalar(value)
