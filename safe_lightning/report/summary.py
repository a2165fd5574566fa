"""The closing words of a run: what happened, to which tables, why, and where everything lies."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import EXPLANATIONS, Outcome
from safe_lightning.core.tables import Comparison
from safe_lightning.core.verdict import ImportReport, TableResult
from safe_lightning.report.labels import printable

_WIDTH = 80
_TABLES_MOST = 12
_ERROR_CHARACTERS_MOST = 1200


@dataclass(frozen=True)
class Closing:
    """What the summary tells beside the report itself."""

    exit_code: int | None
    attempts: int = 1
    hook_lines: Sequence[str] = ()
    remedy_lines: Sequence[str] = ()
    places: Sequence[tuple[str, str]] = ()


def summary_lines(report: ImportReport, closing: Closing) -> list[str]:
    """Write the summary, 80 columns wide, the root cause before its consequences."""
    explanation = EXPLANATIONS[report.outcome]
    return [
        *_headline(report, closing),
        *_paragraph("meaning", explanation.meaning),
        *_paragraph("root error", shorten(report.root_error or "")),
        *_tables(report.tables),
        *(line for note in report.evidence for line in _paragraph("note", note)),
        *(line for text in closing.hook_lines for line in _paragraph("hook", text)),
        *(line for text in closing.remedy_lines for line in _paragraph("remedy", text)),
        *_paragraph("next step", explanation.next_step),
        *(line for name, place in closing.places for line in _paragraph(name, place)),
    ]


def _headline(report: ImportReport, closing: Closing) -> list[str]:
    tries = f", attempt {closing.attempts}" if closing.attempts > 1 else ""
    code = "exit code not known" if closing.exit_code is None else f"exit code {closing.exit_code}"
    line = f"safe-lightning: {report.outcome} ({code}{tries})"
    return ["", line, *_paragraph("reason", report.reason if report.reason != report.root_error else "")]


def _paragraph(name: str, text: str) -> list[str]:
    if not text.strip():
        return []
    label = f"  {name}: "
    wrapped = [
        part
        for line in text.strip().splitlines()
        for part in (
            textwrap.wrap(printable(line.expandtabs()), _WIDTH - 4, break_long_words=False, break_on_hyphens=False)
            or [""]
        )
    ]
    if len(wrapped) == 1 and len(label) + len(wrapped[0]) <= _WIDTH:
        return [label + wrapped[0]]
    return [label.rstrip(), *(f"    {part}" for part in wrapped)]


def shorten(text: str, characters_most: int = _ERROR_CHARACTERS_MOST) -> str:
    """Keep the head of an over-long error; whole batches of rows hide the sentence otherwise."""
    if len(text) <= characters_most:
        return text
    return f"{text[:characters_most]}… ({len(text)} characters, whole in the record)"


def _tables(tables: Sequence[TableResult]) -> list[str]:
    if not tables:
        return []
    # What went wrong comes first: of 200 tables the three that failed matter.
    ordered = sorted(tables, key=lambda t: t.status in _GOOD)
    lines = [
        f"    {printable(str(t.table or '(not named)'))}: {t.status}{_totals(t.checksum)}"
        for t in ordered[:_TABLES_MOST]
    ]
    more = len(ordered) - _TABLES_MOST
    return ["  tables:", *lines, *([f"    … and {more} more"] if more > 0 else [])]


_GOOD = {"checksum-passed", "imported"}


def _totals(checksum: Comparison | None) -> str:
    if checksum is None or checksum.local is None:
        return ""
    if checksum.remote is None or checksum.remote == checksum.local:
        return f" ({checksum.local.kvs:,} key-value pairs)"
    remote, local = checksum.remote, checksum.local
    return (
        f"\n      in the cluster  {remote.kvs:,} pairs, {remote.bytes:,} bytes ({remote.kvs - local.kvs:+,} pairs)"
        f"\n      from the source {local.kvs:,} pairs, {local.bytes:,} bytes"
    )


def outcome_table() -> str:
    """Return the Markdown table of outcomes that the documentation carries."""
    rows = [
        f"| `{outcome}` | {EXPLANATIONS[outcome].meaning} | {EXPLANATIONS[outcome].next_step} |" for outcome in Outcome
    ]
    return "\n".join(["| outcome | meaning | next step |", "|---|---|---|", *rows])


def exit_code_table() -> str:
    """Return the Markdown table of our exit codes that the documentation carries."""
    rows = [f"| {int(code)} | `{code.name}` | {code.meaning} |" for code in ExitCode]
    return "\n".join(["| code | name | meaning |", "|---|---|---|", *rows])


def join(lines: Iterable[str]) -> str:
    """Join lines into one text that ends with a line break."""
    return "\n".join(lines) + "\n"
