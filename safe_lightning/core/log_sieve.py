"""Leaving out log lines that tell nothing of a run's end, before they are taken apart.

A big log says the same few hundred things over and over. What a line says stands right behind its time, so its
first characters are looked up, and only lines whose message a rule waits for are read. Whatever does not look like
the usual line is let through: what is left out never depends on a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from operator import itemgetter

from safe_lightning.core.evidence import KEPT
from safe_lightning.core.hot_lines import HOT_RULES, HotRule, read_hot
from safe_lightning.core.log_digest import LogDigest, has_rule
from safe_lightning.core.mismatch import MISMATCH_WORDS

_TIME = re.compile(rb"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d\] (?=\[[A-Z])")
#: Enough for level, place in the source and what tells one message from another.
_HEAD_BYTES = 60
_HEAD = re.compile(rb'\[([A-Z]+)\] \[[^\]" ]+:\d+\] \[(?:"([^"\\]*)("?)|([^"\[\]\\ =]+)(\]?))')
_HEADS_MOST = 4096
_PREFIX_BYTES_MOST = 256
_MISMATCH = MISMATCH_WORDS.encode()


class _Kind(Enum):
    """What is done with lines that begin alike."""

    SKIP = auto()
    READ = auto()
    #: Thousands of them say no more than a few and their number do.
    COUNT = auto()
    #: An error that no rule waits for: the first ones are kept, and every one that speaks of a mismatch.
    ERROR = auto()
    #: Only of use while a key without a name waits for the id of its table.
    TABLE_ID = auto()
    #: Only of use while an engine's ingest waits for the name of its table.
    ENGINE_NAME = auto()


_SPECIAL = {
    b"duplicated key found, skip write": _Kind.COUNT,
    b"write data to local DB": _Kind.TABLE_ID,
    b"import completed": _Kind.ENGINE_NAME,
    b"import and cleanup engine completed": _Kind.ENGINE_NAME,
}
_BAD = frozenset({b"ERROR", b"FATAL", b"PANIC", b"DPANIC"})
_LEVELS = _BAD | {b"DEBUG", b"INFO", b"WARN"}


class LogSieve:
    """Passes on the lines that must be read; the digest is told how many were not."""

    def __init__(self, digest: LogDigest) -> None:
        self._digest = digest
        self._kinds: dict[bytes, _Kind] = {}
        #: Of the messages that come by the thousand: the rule, and where behind the level's place the message stands.
        self._hot: dict[bytes, tuple[HotRule, int]] = {}
        self._start = 0
        self._head = itemgetter(slice(0, 0))

    def sift(self, lines: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the lines that must be read, in order; what a line is good for is asked when it is its turn."""
        if not self._find_start(lines):
            yield from lines
            return
        heads = list(map(self._head, lines))
        kinds = self._kinds
        different = set(heads)
        unknown = different.difference(kinds)
        if unknown:
            self._learn(unknown)
        needed = {head for head in different if kinds.get(head) is not _Kind.SKIP}
        self._digest.records += len(lines)
        if not needed:
            return
        hot, start, task = self._hot, self._start, self._digest.task
        for line, head in zip(lines, heads, strict=True):
            if head not in needed:
                continue
            if (quick := hot.get(head)) and read_hot(quick[0], task, line, start + quick[1]):
                continue
            if self._is_needed(kinds.get(head, _Kind.READ), line):
                # Whoever reads it counts it, if it is a record at all.
                self._digest.records -= 1
                yield line
                task = self._digest.task

    def _find_start(self, lines: Sequence[bytes]) -> bool:
        """Find where the level stands in this batch's lines: prefixes of containers and CI systems move it."""
        for line in lines[:8]:
            if found := _TIME.search(line, 0, _PREFIX_BYTES_MOST):
                if found.end() != self._start:
                    self._start = found.end()
                    self._head = itemgetter(slice(self._start, self._start + _HEAD_BYTES))
                return True
        return False

    def _learn(self, heads: set[bytes]) -> None:
        if len(self._kinds) + len(heads) > _HEADS_MOST:
            self._kinds.clear()
            self._hot.clear()
        for head in heads:
            # What is no usual beginning may be anything: a part of a row, say. It is not worth remembering.
            if kind := _kind_of(head):
                self._kinds[head] = kind
                if quick := _quick_rule(head):
                    self._hot[head] = quick

    def _is_needed(self, kind: _Kind, line: bytes) -> bool:
        if kind is _Kind.READ:
            return True
        task = self._digest.task
        if kind is _Kind.COUNT:
            if len(task.skipped_keys) < KEPT:
                return True
            task.skipped_key_count += 1
            return False
        if kind is _Kind.ERROR:
            return len(task.errors) < KEPT or _MISMATCH in line
        if kind is _Kind.TABLE_ID:
            return len(task.table_ids) < len(task.skipped_keys)
        return bool(task.unnamed_ingests)


def _quick_rule(head: bytes) -> tuple[HotRule, int] | None:
    """Find the quick rule for lines that begin so, and at which place of the head their message begins."""
    found = _HEAD.match(head)
    if not found or not found[2]:
        return None
    for words, rule in HOT_RULES.items():
        message = words.encode()
        # What was looked at may end within the message.
        if found[2] == message or (not found[3] and message.startswith(found[2])):
            return rule, found.start(2)
    return None


def _kind_of(head: bytes) -> _Kind | None:
    """Say what is done with lines that begin so; None where that cannot be told from the beginning."""
    found = _HEAD.match(head)
    if not found or found[1] not in _LEVELS:
        return None
    message, is_whole = (found[2], bool(found[3])) if found[2] is not None else (found[4], bool(found[5]))
    for words, kind in _SPECIAL.items():
        if message == words if is_whole else words.startswith(message):
            return kind if is_whole or len(message) > 12 else _Kind.READ
    if has_rule(message.decode("utf-8", "replace"), is_whole):
        return _Kind.READ
    return _Kind.ERROR if found[1] in _BAD else _Kind.SKIP
