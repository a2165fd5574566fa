"""HTML that is well-formed by construction: elements hold elements or text, and every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from safe_lightning.report.labels import printable

#: What is longer than this takes a row of its own.
_LONG_CHARACTERS = 90


class Markup(str):
    """Text that is HTML already; made by `element` only, but for a style sheet of ours."""

    __slots__ = ()


Content: TypeAlias = "str | Iterable[Content] | None"

_VOID = frozenset({"br", "meta"})
# html.escape would do the same, and load two thousand names of entities that are not needed here.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def element(name: str, /, *content: Content, **attributes: str | None) -> Markup:
    """Write one element. Texts are escaped, None is nothing; ``class_`` stands for class, ``data_x`` for data-x.

    >>> element("p", "a < b", element("br"), class_="soft")
    '<p class="soft">a &lt; b<br></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{printable(value).translate(_ENTITIES)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(content: Content) -> Markup:
    """Write contents behind one another."""
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(printable(content).translate(_ENTITIES))
    return Markup("".join(join(part) for part in content))


def lines(text: str) -> Markup:
    """Write a text of several lines; nothing but its line breaks steers the page."""
    return Markup("<br>".join(join(line.expandtabs()) for line in text.strip().splitlines()))


def table(names: Iterable[str], rows: Iterable[Iterable[Content]], class_: str | None = None) -> Markup:
    """Write a table; each cell carries its column's name, which is shown beside it where the page is narrow.

    A name that begins with ``#`` is that of a column of numbers.
    """
    columns = [(name.lstrip("#"), "number" if name.startswith("#") else None) for name in names]
    head = [element("th", name, scope="col", class_=kind) for name, kind in columns]
    body = [
        element("tr", [element("td", cell, data_name=name, class_=kind) for (name, kind), cell in _pairs(columns, row)])
        for row in rows
    ]
    parts = (element("thead", element("tr", head)), element("tbody", body))
    return element("div", element("table", parts, class_=class_), class_="wide")


def _pairs(
    columns: list[tuple[str, str | None]], row: Iterable[Content]
) -> Iterable[tuple[tuple[str, str | None], Content]]:
    return zip(columns, row, strict=True)


def facts(pairs: Iterable[tuple[str, Content]]) -> Markup | None:
    """Write names and what they stand for; those that stand for nothing are left out, and nothing is None."""
    written = [_fact(name, value) for name, value in pairs if value]
    return element("dl", written) if written else None


def _fact(name: str, value: Content) -> Markup:
    inner = (element("dt", name), element("dd", value))
    is_long = isinstance(value, str) and len(value) > _LONG_CHARACTERS
    return element("div", *inner, class_="long") if is_long else element("div", *inner)


def section(title: str, *content: Content, note: str = "") -> Markup | None:
    """Write a part of the page under its title; None where there is nothing in it."""
    body = join(content)
    if not body:
        return None
    under = element("p", note, class_="soft") if note else None
    return element("section", element("h2", title), under, body)
