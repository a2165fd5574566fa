"""The part of a run's page that proves: tables with their totals, causes with their arithmetic, duplicate keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from safe_lightning.core.cause import tied
from safe_lightning.core.causes.model import Cause
from safe_lightning.core.tables import Comparison, Totals
from safe_lightning.core.verdict import TableResult
from safe_lightning.report.labels import FINE
from safe_lightning.report.markup import Content, Markup, element, join, lines, section, table
from safe_lightning.report.run_model import RecordedRun
from safe_lightning.report.summary import shorten
from safe_lightning.report.told_causes import DuplicateExample, Duplicates, TableCauses, causes_of, duplicates_of

_TABLES_MOST = 1000
_CAUSES_MOST = 40
_KEYS_MOST = 40
_EXAMPLES_MOST = 50
_WRONG = ("failed", "checksum-mismatch", "not empty", "illegal checkpoint")


def tone(status: str) -> str:
    """Return the colour that a table's status is shown in."""
    return "good" if status in FINE else "bad" if status.startswith(_WRONG) else "open"


def badge(text: str, kind: str) -> Markup:
    """Write a word in a coloured frame."""
    return element("span", text, class_=f"badge {kind}")


def name_of(what: object) -> Markup:
    """Write the name of a table; one that nobody named is said to be so."""
    return element("code", str(what)) if what else element("i", "not named")


def left_out(shown: int, all_of_them: int, what: str) -> Markup | None:
    """Say how many more there are than are shown."""
    more = all_of_them - shown
    return element("p", f"… and {more:,} more {what}, all in the record.", class_="soft") if more > 0 else None


def tables_section(run: RecordedRun) -> Markup | None:
    """Write every table with its status and totals, those that went wrong first."""
    results = sorted(run.result.tables, key=lambda result: result.status in FINE)
    if not results:
        return None
    counts = Counter(result.status for result in results)
    summary = [(badge(f"{count:,} {status}", tone(status)), " ") for status, count in counts.most_common()]
    names = ("table", "status", "#pairs in the cluster", "#pairs from the source", "#difference", "#bytes")
    rows = (_table_row(result, run.result.root_error) for result in results[:_TABLES_MOST])
    return section(
        "Tables",
        element("p", summary, class_="badges"),
        table(names, rows, class_="tables"),
        left_out(_TABLES_MOST, len(results), "tables"),
    )


def _table_row(result: TableResult, root_error: str | None) -> Iterator[Content]:
    checksum = result.checksum or Comparison(None, None)
    remote, local = checksum.remote, checksum.local
    told = "with the root error" if result.error == root_error else shorten(result.error or "")
    error = element("div", lines(told), class_="error") if result.error else None
    yield (name_of(result.table), error)
    yield badge(result.status, tone(result.status))
    yield _pairs(remote)
    yield _pairs(local)
    yield f"{remote.kvs - local.kvs:+,}" if remote and local and remote.kvs != local.kvs else _same(remote, local)
    known = remote or local
    yield f"{known.bytes:,}" if known and known.has_bytes else "–"


def _pairs(totals: Totals | None) -> str:
    return f"{totals.kvs:,}" if totals else "–"


def _same(remote: Totals | None, local: Totals | None) -> str:
    if remote is None or local is None:
        return "–"
    return "0" if remote == local else "0, other bytes"


def causes_section(run: RecordedRun) -> Markup | None:
    """Write what the likely causes are, with their arithmetic, and what would settle them; the last attempt's first."""
    found = sorted(causes_of(run.verdicts), key=lambda told: -told.attempt)
    many = len({told.attempt for told in found}) > 1
    cards = [_causes_card(run, told, has_attempts=many) for told in found[:_CAUSES_MOST]]
    return section("Causes", cards, left_out(_CAUSES_MOST, len(found), "tables"))


def _causes_card(run: RecordedRun, told: TableCauses, *, has_attempts: bool) -> Markup:
    attempt = element("span", f"attempt {told.attempt}", class_="soft") if has_attempts else None
    heads = tied(told.causes)
    tie = (
        element("p", f"{len(heads)} causes cannot be told apart by what is known.", class_="soft")
        if len(heads) > 1
        else None
    )
    title = element("h3", name_of(told.table) if told.table else "All tables", " ", attempt)
    is_last = told.attempt == run.result.attempts
    result = next((result for result in run.result.tables if result.table == told.table), None)
    totals = _comparison(result.checksum) if is_last and result and result.checksum else None
    causes = [_cause(cause) for cause in told.causes]
    return element("div", title, totals, tie, causes, _looks(told), class_="card")


def _looks(told: TableCauses) -> Iterator[Markup]:
    """Write the checks that were made to settle the cause, and what could not be looked at."""
    for words, found in (("Looked into", told.checks), ("Not known", told.not_known)):
        if found:
            yield element("p", element("b", f"{words}: "), class_="settle")
            yield element("ul", [element("li", line) for line in found])


def _cause(cause: Cause) -> Markup:
    share = f"{min(max(cause.confidence, 0.0), 1.0):.0%}"
    head = element(
        "p",
        element("strong", cause.name),
        element("span", element("span", style=f"width:{share}"), class_="meter"),
        element("span", share, class_="soft"),
        class_="cause",
    )
    evidence = element("ul", [element("li", line) for line in cause.evidence]) if cause.evidence else None
    settle = element("p", element("b", "To settle it: "), f"{cause.settle}.", class_="settle") if cause.settle else None
    return element("div", head, evidence, settle, class_="told")


def _comparison(checksum: Comparison) -> Markup | None:
    remote, local = checksum.remote, checksum.local
    if remote is None or local is None:
        return None
    has_bytes = remote.has_bytes and local.has_bytes
    rows = [
        ("in the cluster", f"{remote.kvs:,}", _bytes(remote), _sum(remote)),
        ("from the source", f"{local.kvs:,}", _bytes(local), _sum(local)),
        (
            "difference",
            f"{remote.kvs - local.kvs:+,}",
            f"{remote.bytes - local.bytes:+,}" if has_bytes else "–",
            "same" if remote.checksum == local.checksum else "other",
        ),
    ]
    return table(("side", "#pairs", "#bytes", "#checksum"), rows, class_="totals")


def _bytes(totals: Totals) -> str:
    return f"{totals.bytes:,}" if totals.has_bytes else "–"


def _sum(totals: Totals) -> str:
    return "–" if totals.checksum is None else str(totals.checksum)


def duplicates_section(run: RecordedRun) -> Markup | None:
    """Write which keys of the source occur more than once, and where."""
    found = duplicates_of(run.verdicts)
    cards = [_duplicates_card(duplicates) for duplicates in found[:_KEYS_MOST]]
    return section("Duplicate keys in the source", cards, left_out(_KEYS_MOST, len(found), "keys"))


def _duplicates_card(found: Duplicates) -> Markup:
    title = element("h3", name_of(found.table), f" key {found.key}" if found.key else None)
    counted = (
        f"{found.keys:,} keys occur more than once, in {found.rows:,} rows."
        if found.keys is not None and found.rows is not None
        else None
    )
    return element(
        "div",
        title,
        element("p", counted) if counted else None,
        _examples(found.examples) if found.examples else element("p", found.message),
        class_="card",
    )


def _examples(examples: Sequence[DuplicateExample]) -> Markup:
    rows = [
        (
            element("i", "not shown") if example.key is None else element("code", example.key),
            [element("div", place) for place in example.places],
        )
        for example in examples[:_EXAMPLES_MOST]
    ]
    return join((table(("key", "rows"), rows), left_out(_EXAMPLES_MOST, len(examples), "examples")))
