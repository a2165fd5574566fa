"""The lines that a big log repeats for every chunk, engine and table, read at a tenth of what a record costs.

Each function takes the fields behind the message, in the order in which all releases since 4.0 write them, does what
the message's rule in `log_digest` does, and says whether it could: what is quoted, escaped or ordered in another way
is left to the rule. A test compares both for every recorded log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from safe_lightning.core.evidence import FILES_KEPT, TaskEvidence
from safe_lightning.core.log_clues import ENGINES_OPEN_MOST
from safe_lightning.core.tables import Totals

HotRule = Callable[[TaskEvidence, list[str]], bool]

_TOTALS = 'checksum="{cksum='
_LOCAL = 'local="{cksum='
_UUID_CHARACTERS = 36


def _chunk_done(task: TaskEvidence, parts: list[str]) -> bool:
    if len(parts) < 8 or parts[0][:7] != "table=`" or parts[3][:5] != "path=" or parts[7][:17] != _TOTALS:
        return False
    trace = task.trace(parts[0][6:])
    if trace is None or '"' in parts[3]:
        return False
    numbers = _numbers(parts[7][17:])
    if numbers is None:
        return False
    trace.chunks += 1
    trace.chunk_kvs += numbers[2]
    if len(trace.files) < FILES_KEPT:
        trace.files.append((parts[3][5:], *numbers))
    else:
        trace.has_more_files = True
    return True


def _numbers(text: str) -> tuple[int, int, int] | None:
    """Read ``A,size=B,kvs=C}"`` behind the name of a field of totals."""
    checksum, size, kvs = text.split(",") if text.count(",") == 2 else ("", "", "")
    if size[:5] != "size=" or kvs[:4] != "kvs=" or kvs[-2:] != '}"':
        return None
    size, kvs = size[5:], kvs[4:-2]
    if not (checksum.isdigit() and size.isdigit() and kvs.isdigit() and (checksum + size + kvs).isascii()):
        return None
    return int(checksum), int(size), int(kvs)


def _local_checksum(task: TaskEvidence, parts: list[str]) -> bool:
    if len(parts) != 2 or parts[0][:7] != "table=`" or parts[1][:17] != _TOTALS:
        return False
    trace, numbers = task.trace(parts[0][6:]), _numbers(parts[1][17:])
    if trace is None or numbers is None:
        return False
    trace.local = Totals(numbers[0], numbers[2], numbers[1])
    trace.own = trace.own or trace.local
    trace.remote_pending = True
    return True


def _passed(task: TaskEvidence, parts: list[str]) -> bool:
    if len(parts) != 2 or parts[0][:7] != "table=`" or parts[1][:14] != _LOCAL:
        return False
    trace, numbers = task.trace(parts[0][6:]), _numbers(parts[1][14:])
    if trace is None or numbers is None:
        return False
    known = trace.local
    is_known = known is not None and (known.checksum, known.bytes, known.kvs) == numbers
    trace.note_passed(known if is_known else Totals(numbers[0], numbers[2], numbers[1]))
    return True


def _table_done(task: TaskEvidence, parts: list[str]) -> bool:
    trace = task.trace(parts[0][6:]) if parts[0][:7] == "table=`" else None
    if trace is not None:
        trace.restored = True
    return trace is not None


def _ingested(task: TaskEvidence, parts: list[str]) -> bool:
    if len(parts) != 5 or parts[0][:5] != "uuid=" or parts[2][:4] != "kvs=" or parts[4][:14] != "importedCount=":
        return False
    held, imported = parts[2][4:], parts[4][14:]
    if not (held.isdigit() and imported.isdigit() and (held + imported).isascii()):
        return False
    task.note_ingest(parts[0][5:], int(held), int(imported))
    return True


def _engine_opened(task: TaskEvidence, parts: list[str]) -> bool:
    if len(parts) != 2 or parts[0][:10] != "engineTag=" or parts[1][:11] != "engineUUID=":
        return False
    tag, uuid = parts[0][10:], parts[1][11:]
    if tag[:1] != "`" or len(uuid) != _UUID_CHARACTERS:
        return False
    if len(task.engines_opened) >= ENGINES_OPEN_MOST:
        del task.engines_opened[next(iter(task.engines_opened))]
    task.engines_opened[uuid] = tag
    return True


def _written(task: TaskEvidence, parts: list[str]) -> bool:
    for part in parts:
        if part[:8] == "written=":
            written = part[8:]
            is_number = written.isdigit() and written.isascii()
            task.written_bytes += int(written) if is_number else 0
            return is_number
    return False


def _reused(task: TaskEvidence, parts: list[str]) -> bool:
    if len(parts) < 2 or parts[0][:7] != "table=`" or parts[1][:11] != "enginesCnt=":
        return False
    trace, engines = task.trace(parts[0][6:]), parts[1][11:]
    if trace is None or not (engines.isdigit() and engines.isascii()):
        return False
    trace.reused, trace.engines_reused = True, int(engines)
    return True


def _loaded(task: TaskEvidence, parts: list[str]) -> bool:
    trace = task.trace(parts[0][6:]) if parts[0][:7] == "table=`" else None
    if trace is not None:
        trace.loaded_fresh = True
    return trace is not None


HOT_RULES: Mapping[str, HotRule] = {
    "restore file completed": _chunk_done,
    "local checksum": _local_checksum,
    "checksum pass": _passed,
    "restore table completed": _table_done,
    "import engine success": _ingested,
    "open engine": _engine_opened,
    "encode kv data and write completed": _written,
    "reusing engines and files info from checkpoint": _reused,
    "load engines and files start": _loaded,
    "load engines and files completed": _loaded,
}


def read_hot(rule: HotRule, task: TaskEvidence, rest: bytes) -> bool:
    """Read the part of a line behind its message; whether it was read."""
    if rest[:2] != b" [" or rest[-1:] != b"]" or b"\\" in rest:
        return False
    try:
        return rule(task, rest[2:-1].decode().split("] ["))
    except UnicodeDecodeError:
        return False
