"""The child's log as events: each record one JSON line, or one line on a terminal, at the rate of a busy log.

A batch of lines is rendered and written at once, past structlog's chain, in which a single record takes longer
than there is time for ten. The JSON is what the chain would render: same keys, same order, same masking.

Shown is what ``log.level`` lets through. Kept is at least every record from INFO on; DEBUG records are kept
only where they are shown, for the child's own log has them and the place for events is bounded
(`RunDir.events`). Everything is handed to ``on_record``, whatever is shown or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.log_batch import LogReader
from safe_lightning.core.logline import LogRecord, Origin
from safe_lightning.core.redact import (
    MASK,
    is_secret_name,
    lines_with_bare_rows,
    lines_with_secrets,
    redact,
    redact_continued,
    redact_fields,
    redact_rows,
    redact_rows_in_text,
)
from safe_lightning.logs import LEVEL_RANKS, LEVELS, Output, console_renderer, current_output, dump_json, now_text
from safe_lightning.policy.model import LogPolicy

_CHARACTERS_MOST = 32 << 10
_ORIGINS_MOST = 4096
_REMEMBERED_CHARACTERS_MOST = 500

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the events of one origin have in common; ``json`` stands between our time and the child's."""

    head: Event
    json: str
    rank: int


class ChildLog:
    """Turns batches of the child's log lines into events.

    ``bound`` (run, attempt) is carried by every event. Lines that are no record, such as the rest of a stack,
    become ``log-text`` events of the level of the record before them.
    """

    def __init__(
        self, policy: LogPolicy, on_record: Callable[[LogRecord], None] | None = None, **bound: object
    ) -> None:
        self._redacts_rows = policy.row_data == "redact"
        self._rank_shown = LEVEL_RANKS[LEVELS[policy.level]]
        self._rank_kept = min(self._rank_shown, LEVEL_RANKS["info"])
        self._on_record = on_record
        self._bound = {**bound, "child": True}
        self._reader = LogReader()
        self._known: dict[Origin, _Known] = {}
        self._last: LogRecord | None = None

    def take(self, lines: Sequence[bytes]) -> None:
        """Take lines without their line breaks: all are digested before any is shown or kept."""
        read = self._reader.read(lines)
        if self._on_record is not None:
            for record in read:
                if type(record) is LogRecord:
                    self._on_record(record)
        records = self._with_texts(read)
        output, now = current_output(), now_text()
        kept = self._json_lines(records, now, self._rank_kept)
        if output.is_console:
            shown = self._console_lines(records, now, output)
        elif self._rank_shown == self._rank_kept:
            shown = kept
        else:
            shown = self._json_lines(records, now, self._rank_shown)
        if shown:
            output.outlet.write(shown, may_drop=True)
        if kept:
            output.keep(kept)

    def _with_texts(self, read: Sequence[LogRecord | str]) -> list[LogRecord]:
        """Join the lines that are no records to events of their own."""
        records: list[LogRecord] = []
        texts: list[str] = []
        for item in read:
            if type(item) is LogRecord:
                if texts:
                    records.append(self._text_record(texts))
                    texts = []
                records.append(item)
                self._last = item
            elif item or texts:
                texts.append(str(item))
        return [*records, self._text_record(texts)] if texts else records

    def _text_record(self, texts: Iterable[str]) -> LogRecord:
        text, last = "\n".join(texts), self._last
        if last is not None and last.rest and not last.rest.endswith("]"):
            # The rest of a value whose quotes were not closed on its own line: it is of the same nature.
            name = next(reversed(tuple(last.fields)), "")
            text = MASK if is_secret_name(name) else redact_continued(name, text) if self._redacts_rows else text
        elif self._redacts_rows:
            text = redact_rows_in_text(text)
        level, time = (last.level, last.time) if last else ("info", "")
        return LogRecord(time, Origin(level, "", "log-text"), "", fields={"text": text})

    def _json_lines(self, records: Sequence[LogRecord], now: str, rank_least: int) -> bytes:
        rests = [record.rest for record in records]
        secret = lines_with_secrets(rests)
        careful = secret | lines_with_bare_rows(rests) if self._redacts_rows else secret
        stamp = f'{{"timestamp":"{now}",'
        known_of, lines = self._known.get, []
        for number, record in enumerate(records):
            known = known_of(record.origin) or self._learn(record.origin)
            if known.rank < rank_least:
                continue
            rest = record.rest
            if number in careful or not record.is_bare or len(rest) > _CHARACTERS_MOST:
                own = self._own(record, number in secret)
                lines.append(f"{stamp}{known.json},{dump_json(own).decode()[1:]}")
                continue
            fields = '"' + rest[2:-1].replace("] [", '","').replace("=", '":"') + '"' if rest else ""
            lines.append(f'{stamp}{known.json},"child_time":"{record.time}","fields":{{{fields}}}}}\n')
        return "".join(lines).encode()

    def _console_lines(self, records: Sequence[LogRecord], now: str, output: Output) -> bytes:
        render = console_renderer(output)
        lines = []
        for record in records:
            known = self._known.get(record.origin) or self._learn(record.origin)
            if known.rank >= self._rank_shown:
                lines.append(render({"timestamp": now, **known.head, **self._own(record, True)}))
        return b"".join(lines)

    def _own(self, record: LogRecord, may_hold_secret: bool) -> Event:
        """Return what is of this record alone; a record without ``rest`` may hold secrets in any case."""
        fields, time = record.fields, record.time
        if self._redacts_rows:
            fields = redact_rows(fields)
        if len(record.rest) > _CHARACTERS_MOST or not record.rest:
            fields = {name: _cut(value) for name, value in fields.items()}
        if may_hold_secret or not record.rest:
            fields, time = redact_fields(fields), redact(time)
        return {"child_time": time, "fields": fields}

    def _learn(self, origin: Origin) -> _Known:
        message = redact_rows_in_text(origin.message) if self._redacts_rows else origin.message
        level = LEVELS[origin.level]
        head: Event = {"level": level, "event": redact(_cut(message)), **self._bound, "source": redact(origin.source)}
        known = _Known(head, dump_json(head).decode()[1:-2], LEVEL_RANKS[level])
        if len(self._known) >= _ORIGINS_MOST:
            self._known.clear()
        if len(origin.message) <= _REMEMBERED_CHARACTERS_MOST:
            self._known[origin] = known
        return known


def _cut(text: str) -> str:
    """Keep the beginning of an over-long text, whole words: half a secret would not be recognised as one."""
    if len(text) <= _CHARACTERS_MOST:
        return text
    words = text[:_CHARACTERS_MOST]
    return f"{words[: words.rfind(' ') + 1 or None]}… ({len(text)} characters, whole in the child's log)"
