"""What stands in front of a SQL statement's first row, with the states of Lightning's own parser."""

from __future__ import annotations

import re
from enum import Enum, IntEnum

_TOKEN = re.compile(
    rb"""(?P<blank>[ \t-\r,;]+)
    |(?P<comment>--[^\n\r]*(?=[\n\r])|/\*.*?\*/)
    |(?P<name>"(?:[^"\\]|"")*"(?=[^"])|`(?:[^`]|``)*`(?=[^`]))
    |(?P<open>\()
    |(?P<close>\))
    |(?P<word>(?!--)[^ \t-\r,;()'"`/*]+(?=[ \t-\r,;()'"`/*]))""",
    re.VERBOSE | re.DOTALL,
)
_UNFINISHED = re.compile(rb"""--|/\Z|/\*|"[^\\]*\Z|`|[^ \t-\r,;()'"`/*]+\Z""")
_NO_NAMES = frozenset({b"values", b"null", b"true", b"false", b"convert", b"using", b"x", b"b"})


class State(Enum):
    """Where in a statement's head the words are."""

    VALUES = 0
    TABLE_NAME = 1
    COLUMNS = 2


class Header(IntEnum):
    """Why a head has no row behind it yet: it goes on beyond the bytes at hand, or is left to the exact reader."""

    UNFINISHED = -1
    UNUSUAL = -2


def skip_header(content: bytes, at: int) -> int:
    """Return where the first row's parenthesis is, the end if nothing follows yet, or a `Header`."""
    state = State.VALUES
    while at < len(content):
        found = _TOKEN.match(content, at)
        if found is None:
            return Header.UNFINISHED if _UNFINISHED.match(content, at) else Header.UNUSUAL
        if found.lastgroup == "open" and state is State.VALUES:
            return at
        after = _state_after(state, found.lastgroup or "", found[0].lower())
        if after is None:
            return Header.UNUSUAL
        state, at = after, found.end()
    return at if state is State.VALUES else Header.UNFINISHED


def _state_after(state: State, kind: str, word: bytes) -> State | None:
    """Return the next state; None for what is unusual."""
    if kind in ("blank", "comment"):
        return state
    if kind == "open":
        return State.COLUMNS if state is State.TABLE_NAME else None
    if kind == "close":
        return State.VALUES if state is State.COLUMNS else None
    if kind == "word" and word == b"values" and state is not State.COLUMNS:
        return State.VALUES
    if kind == "word" and (word in _NO_NAMES or word[:1] in b"0123456789-"):
        return None
    return State.TABLE_NAME if state is State.VALUES else state
