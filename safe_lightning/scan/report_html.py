"""A scan as one HTML page that needs nothing else: for a ticket, a mail, a colleague."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from safe_lightning.core.columns import Backend
from safe_lightning.report.labels import printable
from safe_lightning.scan.advice import conflict_block, next_commands, recommendation, strategies
from safe_lightning.scan.model import WHY_WORDS, KeyScan, KeyStatus, Scan, TableScan
from safe_lightning.scan.report_text import finding_text, place_text, size_text, verdict_sentence

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --page: #fcfcfd; --line: #d9dce0; --soft: #60646c;
  --clean: #18794e; --conflicts: #c62a2f; --open: #ad5700; --box: #f4f5f6; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --page: #111214; --line: #363a3f; --soft: #b0b4ba;
  --clean: #3dd68c; --conflicts: #ff9592; --open: #ffa057; --box: #1b1c1f; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
code, td, pre { font-family: ui-monospace, monospace; font-size: .875rem; }
pre { background: var(--box); padding: .75rem 1rem; overflow-x: auto; border-radius: 6px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; } th { font-weight: 600; font-size: .875rem; }
.soft { color: var(--soft); } .badge { font-size: .8rem; font-weight: 600; padding: .1rem .5rem; border-radius: 999px;
  border: 1px solid currentColor; white-space: nowrap; }
.clean { color: var(--clean); } .conflicts { color: var(--conflicts); }
.not-checked, .input-error { color: var(--open); }
"""


def to_html(scan: Scan, backend: Backend, argv: Sequence[str]) -> str:
    """Return the whole page."""
    body = "\n".join(_body(scan, backend, argv))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Key scan: {_text(verdict_sentence(scan))}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _body(scan: Scan, backend: Backend, argv: Sequence[str]) -> Iterator[str]:
    yield f"<h1>Key scan: {_text(verdict_sentence(scan))}</h1>"
    rows = sum(table.rows for table in scan.tables)
    yield f'<p class="soft">{scan.mode}, {len(scan.tables):,} tables, {rows:,} rows</p>'
    yield from (f"<p>{_text(note)}</p>" for note in scan.notes)
    for table in sorted(scan.tables, key=lambda table: table.status is KeyStatus.CLEAN):
        yield from _table(table)
    if scan.findings:
        yield "<h2>Files that belong to no table</h2><ul>"
        yield from (f"<li>{_text(finding_text(finding))}</li>" for finding in scan.findings)
        yield "</ul>"
    if scan.has_conflicts:
        yield from _advice(scan, backend)
    yield "<h2>Next</h2>"
    for what, command in next_commands(scan, argv):
        yield f"<p>To {_text(what)}:</p><pre>{_text(command)}</pre>"


def _table(table: TableScan) -> Iterator[str]:
    yield f"<h2><code>{_text(str(table.table))}</code></h2>"
    facts = f"{table.rows:,} rows, {table.files:,} files, {size_text(table.bytes)}; keys from {table.basis}"
    yield f'<p class="soft">{_text(facts)}</p>'
    if table.findings:
        yield f"<ul>{''.join(f'<li>{_text(finding_text(finding))}</li>' for finding in table.findings)}</ul>"
    if not table.keys:
        yield "<p>No primary or unique key: nothing can conflict.</p>"
    for key in table.keys:
        yield from _key(key)


def _key(key: KeyScan) -> Iterator[str]:
    name = "all keys" if key.name == "*" else f"{key.name} ({', '.join(key.columns)})"
    yield f'<h3>{_text(name)} <span class="badge {key.status}">{_text(str(key.status))}</span></h3>'
    if key.reason:
        yield f"<p>{_text(key.reason)}</p>"
    if not key.examples:
        return
    shown = "" if len(key.examples) == key.duplicate_keys else f" The first {len(key.examples):,} are listed."
    yield f"<p>{key.duplicate_keys:,} keys occur more than once, in {key.duplicate_rows:,} rows.{shown}</p>"
    yield '<div class="scroll"><table><tr><th>key</th><th>why equal</th><th>rows</th></tr>'
    for example in key.examples:
        value = ", ".join("NULL" if part is None else part for part in example.key)
        places = "<br>".join(_text(place_text(place)) for place in example.rows)
        yield f"<tr><td>{_text(value)}</td><td>{_text(WHY_WORDS[example.why])}</td><td>{places}</td></tr>"
    yield "</table></div>"


def _advice(scan: Scan, backend: Backend) -> Iterator[str]:
    yield f"<h2>Advice</h2><p>{_text(recommendation(scan))}</p>"
    block = "\n".join(conflict_block(scan, backend))
    yield f"<pre>{_text(block)}</pre>"
    yield '<div class="scroll"><table><tr><th>conflict.strategy</th><th>what it does to these rows</th></tr>'
    for strategy in strategies(backend):
        yield f"<tr><td>{_text(strategy.name)}</td><td>{_text(strategy.consequence)}</td></tr>"
    yield "</table></div>"


def _text(text: str) -> str:
    return escape(printable(text))
