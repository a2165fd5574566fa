"""The lines that a big log repeats for every chunk, engine and table, read at a tenth of what a record costs.

Each rule is a pattern for the line from its message on, as all releases since 4.0 write it, and what to do with its
groups, which is what the message's rule in `log_digest` does. What is quoted, escaped or ordered in another way does
not match and is left to that rule. A test compares both for every recorded log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from safe_lightning.core.evidence import FILES_KEPT, TaskEvidence
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.log_clues import ENGINES_OPEN_MOST
from safe_lightning.core.tables import Totals

_BARE = rb'[^\[\]"\\]'
_TABLE = rb" \[table=(`" + _BARE + rb"+`)\]"
_TOTALS = rb'"\{cksum=(\d+),size=(\d+),kvs=(\d+)\}"\]'
_ANY = rb" \[" + _BARE + rb"*\]"
_REST = rb"(?:" + _ANY + rb")*"
_UUID = rb"([0-9a-f-]{36})"

#: Does what a line asks for, with the groups of its pattern; whether it could.
Act = Callable[[TaskEvidence, Sequence[bytes]], bool]


@dataclass(frozen=True)
class HotRule:
    """How lines of one message look from the message on, and what is done with what they say."""

    pattern: re.Pattern[bytes]
    act: Act


def _chunk_done(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    table, path, checksum, size, kvs = groups
    trace = task.trace(table.decode())
    if trace is None:
        return False
    pairs = int(kvs)
    trace.chunks += 1
    trace.chunk_kvs += pairs
    if len(trace.files) < FILES_KEPT:
        trace.files.append((path.decode(), int(checksum), int(size), pairs))
    else:
        trace.has_more_files = True
    return True


def _local_checksum(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    table, checksum, size, kvs = groups
    trace = task.trace(table.decode())
    if trace is None:
        return False
    trace.local = Totals(int(checksum), int(kvs), int(size))
    trace.own = trace.own or trace.local
    trace.remote_pending = True
    return True


def _passed(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    table, checksum, size, kvs = groups
    trace = task.trace(table.decode())
    if trace is None:
        return False
    numbers, known = (int(checksum), int(size), int(kvs)), trace.local
    is_known = known is not None and (known.checksum, known.bytes, known.kvs) == numbers
    trace.note_passed(known if is_known else Totals(numbers[0], numbers[2], numbers[1]))
    return True


def _table_done(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    if trace := task.trace(groups[0].decode()):
        trace.restored = True
    return trace is not None


def _ingested(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    uuid, held, imported = groups
    task.note_ingest(uuid.decode(), int(held), int(imported))
    return True


def _engine_opened(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    tag, uuid = groups
    if len(task.engines_opened) >= ENGINES_OPEN_MOST:
        del task.engines_opened[next(iter(task.engines_opened))]
    task.engines_opened[uuid.decode()] = tag.decode()
    return True


def _written(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    task.written_bytes += int(groups[0])
    return True


def _reused(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    if trace := task.trace(groups[0].decode()):
        trace.reused, trace.engines_reused = True, int(groups[1])
    return trace is not None


def _loaded(task: TaskEvidence, groups: Sequence[bytes]) -> bool:
    if trace := task.trace(groups[0].decode()):
        trace.loaded_fresh = True
    return trace is not None


def _rule(message: str, fields: bytes, act: Act) -> HotRule:
    return HotRule(re.compile(re.escape(message.encode()) + rb'"\]' + fields, re.DOTALL), act)


_PATH = rb" \[path=(" + _BARE + rb"+)\]"
_CHUNK = _TABLE + _ANY + _ANY + _PATH + _ANY * 3 + rb" \[checksum=" + _TOTALS + _REST
_INGEST = rb" \[uuid=" + _UUID + rb"\]" + _ANY + rb" \[kvs=(\d+)\]" + _ANY + rb" \[importedCount=(\d+)\]"
_ENGINE = rb" \[engineTag=(`" + _BARE + rb"+)\] \[engineUUID=" + _UUID + rb"\]"
_FIELDS: Mapping[str, tuple[bytes, Act]] = {
    "restore file completed": (_CHUNK, _chunk_done),
    "local checksum": (_TABLE + rb" \[checksum=" + _TOTALS, _local_checksum),
    "checksum pass": (_TABLE + rb" \[local=" + _TOTALS, _passed),
    "restore table completed": (_TABLE + _REST, _table_done),
    "import engine success": (_INGEST, _ingested),
    "open engine": (_ENGINE, _engine_opened),
    "encode kv data and write completed": (_ANY * 3 + rb" \[written=(\d+)\]" + _REST, _written),
    "reusing engines and files info from checkpoint": (_TABLE + rb" \[enginesCnt=(\d+)\]" + _REST, _reused),
    "load engines and files start": (_TABLE + _REST, _loaded),
    "load engines and files completed": (_TABLE + _REST, _loaded),
}
HOT_RULES: Mapping[str, HotRule] = {words: _rule(words, *rest) for words, rest in _FIELDS.items()}


def read_hot(rule: HotRule, task: TaskEvidence, line: bytes, start: int) -> bool:
    """Read a line whose message stands at this place; whether it was read."""
    found = rule.pattern.fullmatch(line, start)
    if found is None:
        return False
    try:
        return rule.act(task, found.groups())
    except UnicodeDecodeError:
        return False
