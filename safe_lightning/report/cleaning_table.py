"""A clean-up plan for people: one row per leaving, its reason below, within 80 columns but for names."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from safe_lightning.record.cleaning_plan import SHORT

_COLUMNS = 80
_INDENT = 26
_FOUND = {True: "yes", False: "no", None: "?"}


def table_lines(document: Mapping[str, Any], by: str = "") -> Iterator[str]:
    """Write a plan's document as lines; ``by`` says who treats the entries where that is not the control tool."""
    about = document["import"]
    yield f"Plan {document['plan'][:SHORT]}: {_acts(document['acts'])}"
    yield f"Checkpoint  {about['checkpoint'] or 'none is kept'}"
    yield f"Target      {about['target']}, backend {about['backend']}"
    yield from textwrap.wrap(f"Treated     {by}", _COLUMNS, subsequent_indent=" " * 12) if by else ()
    yield ""
    yield f"{'found':7}{'ours':6}{'safe':6}{'action':7}what"
    for item in document["items"]:
        yield from _rows(item)
    yield ""


def _acts(count: int) -> str:
    if not count:
        return "nothing to be done"
    return "1 act" if count == 1 else f"{count} acts"


def _rows(item: Mapping[str, Any]) -> Iterator[str]:
    is_there = item["found"] is not False
    known = (_known(item["ours"], is_there), _known(item["safe"], is_there))
    columns = f"{_FOUND[item['found']]:7}{known[0]:6}{known[1]:6}{_action(item['action']):8}".ljust(_INDENT)
    what = _printable(f"{item['kind']} {item['name']}")
    if not is_there:
        yield from _wrapped(f"{what}: {_printable(item['said'])}", columns)
        return
    yield columns + what
    yield from _wrapped(_printable(f"{item['said']}; {item['reason']}"))


def result_lines(act: str, key: str, status: str, message: str) -> Iterator[str]:
    """Write what came of one act."""
    yield f"{status:9}{act:8} {_printable(key)}"
    yield from _wrapped(_printable(message))


def _wrapped(text: str, first: str = " " * _INDENT) -> list[str]:
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=" " * _INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _known(value: bool | None, is_there: bool) -> str:
    return _FOUND[value] if is_there else "-"


def _action(action: str) -> str:
    return "-" if action == "none" else action


def _printable(text: str) -> str:
    """Keep control characters of a hostile name away from the terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
