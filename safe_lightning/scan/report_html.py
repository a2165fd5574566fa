"""A scan as one HTML page that needs nothing else: for a ticket, a mail, a colleague. It looks like a run's page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from safe_lightning import report
from safe_lightning.core.columns import Backend
from safe_lightning.report.markup import Content, Markup, element, facts, join, section, table
from safe_lightning.scan.advice import conflict_block, next_commands, recommendation, strategies
from safe_lightning.scan.model import WHY_WORDS, Example, KeyScan, KeyStatus, Scan, ScanMode, TableScan, worst_first
from safe_lightning.scan.report_text import counted, finding_text, key_title, place_text, size_text, verdict_sentence
from safe_lightning.source.findings import Level, SourceFinding

_TONES = {
    KeyStatus.CLEAN: "good",
    KeyStatus.CONFLICTS: "bad",
    KeyStatus.NOT_CHECKED: "open",
    KeyStatus.INPUT_ERROR: "open",
}
_MEANINGS = {
    ScanMode.EXACT: "Every row was looked at, but for what is said below.",
    ScanMode.SAMPLE: "Only a part of the keys or of the rows was looked at.",
    ScanMode.OFF: "Nothing was looked at.",
}
_LEVEL_TONES = {Level.ERROR: "bad", Level.WARN: "open"}


def to_html(scan: Scan, backend: Backend, argv: Sequence[str]) -> str:
    """Return the whole page."""
    title = f"Key scan: {verdict_sentence(scan)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", _style()),
    )
    body = element("body", element("main", list(_body(scan, backend, argv))))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _style() -> Markup:
    folder = Path(report.__path__[0])
    return Markup((folder / "run_page.css").read_text(encoding="utf-8"))


def _body(scan: Scan, backend: Backend, argv: Sequence[str]) -> Iterator[Content]:
    tables = worst_first(scan.tables)
    yield _header(scan)
    yield section(
        "What was assumed", element("ul", [element("li", note) for note in scan.notes]) if scan.notes else None
    )
    yield _overview(tables) if len(tables) > 1 else None
    # What is clean and says nothing else has its line in the overview.
    told = [one for one in tables if one.status is not KeyStatus.CLEAN or _told(one.findings) or len(tables) == 1]
    yield from map(_table, told)
    yield section("Files that belong to no table", _findings(scan.findings))
    yield _advice(scan, backend) if scan.has_conflicts else None
    steps = [(element("p", f"To {what}:"), element("pre", command)) for what, command in next_commands(scan, argv)]
    yield section("Next", steps)


def _header(scan: Scan) -> Markup:
    keys = [key for one in scan.tables for key in one.keys]
    worst = worst_first(scan.tables)[0].status if scan.tables else KeyStatus.NOT_CHECKED
    sentence = verdict_sentence(scan)
    pairs = (
        ("mode", str(scan.mode)),
        ("tables", f"{len(scan.tables):,}"),
        ("keys", f"{len(keys):,}"),
        ("rows", f"{sum(one.rows for one in scan.tables):,}"),
        ("size", size_text(sum(one.bytes for one in scan.tables))),
    )
    heading = element("h1", sentence[:1].upper() + sentence[1:])
    meaning = element("p", _MEANINGS[scan.mode], class_="meaning")
    top = element("p", "Key scan of the source", class_="soft")
    return element("header", top, heading, meaning, facts(pairs), class_=_TONES[worst])


def _badge(status: KeyStatus) -> Markup:
    return element("span", str(status), class_=f"badge {_TONES[status]}")


def _overview(tables: Sequence[TableScan]) -> Markup | None:
    rows = ((element("code", str(one.table)), _badge(one.status), *_amounts(one)) for one in tables)
    return section("Tables", table(("table", "status", "#duplicate keys", "#rows", "#files", "#size"), rows))


def _amounts(one: TableScan) -> tuple[str, ...]:
    duplicates = sum(key.duplicate_keys for key in one.keys)
    return (f"{duplicates:,}" if duplicates else "–", f"{one.rows:,}", f"{one.files:,}", size_text(one.bytes))


def _table(one: TableScan) -> Markup:
    amount = f"{counted(one.rows, 'row')}, {counted(one.files, 'file')}, {size_text(one.bytes)}"
    return element(
        "section",
        element("h2", element("code", str(one.table))),
        element("p", f"{amount}; keys from {one.basis}", class_="soft"),
        _findings(one.findings),
        element("p", "No primary or unique key: nothing can conflict.") if not one.keys else None,
        [_key(key) for key in one.keys],
    )


def _told(findings: Sequence[SourceFinding]) -> list[SourceFinding]:
    return [finding for finding in findings if finding.level is not Level.NOTE]


def _findings(findings: Sequence[SourceFinding]) -> Markup | None:
    items = [
        element(
            "li", element("span", str(one.level), class_=f"badge {_LEVEL_TONES[one.level]}"), " ", finding_text(one)
        )
        for one in _told(findings)
    ]
    return element("ul", items) if items else None


def _key(key: KeyScan) -> Markup:
    shown = len(key.examples)
    only = "" if shown == key.duplicate_keys else f" The first {shown:,} are listed."
    occur = f"{counted(key.duplicate_keys, 'key')} twice or more, in {counted(key.duplicate_rows, 'row')}.{only}"
    return element(
        "div",
        element("h3", key_title(key), " ", _badge(key.status)),
        element("p", key.reason) if key.reason else None,
        element("p", occur) if key.duplicate_keys else None,
        table(("key", "why equal", "rows"), map(_example, key.examples)) if key.examples else None,
        class_="card",
    )


def _example(example: Example) -> Iterator[Content]:
    yield element("code", ", ".join("NULL" if part is None else part for part in example.key))
    yield WHY_WORDS[example.why]
    yield [element("div", element("code", place_text(place))) for place in example.rows]


def _advice(scan: Scan, backend: Backend) -> Markup | None:
    rows = ((element("code", one.name), one.consequence) for one in strategies(backend))
    return section(
        "Advice",
        element("p", recommendation(scan)),
        element("pre", join("\n".join(conflict_block(scan, backend)))),
        table(("conflict.strategy", "what it does to these rows"), rows),
    )
