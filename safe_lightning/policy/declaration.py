"""How a policy key is declared: one dataclass field with its default, its reason and its rules."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def key(default: object, why: str, **rules: object) -> Any:  # noqa: ANN401 - takes the type of the attribute
    """Declare a policy key: its default, the line that explains it, and its rules.

    Rules: ``choices`` (allowed words), ``kind`` (a name in policy/kinds.py, where the default's type does not
    tell it), ``least`` and ``most`` (numbers, seconds or bytes, inclusive).
    """
    return field(default=default, metadata={"why": why, **rules})
