"""Logs that were cut, mixed, doubled and spoiled: never an exception, never a success that nobody had.

A few thousand cases by default; SAFE_LIGHTNING_FUZZ_CASES=100000 for more, SAFE_LIGHTNING_FUZZ_SEED for others.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable

import pytest
from recordings import recordings

from safe_lightning.commands.explain import to_json, to_text
from safe_lightning.explaining import Explainer

from . import test_log_corpus

CASES = int(os.environ.get("SAFE_LIGHTNING_FUZZ_CASES", "2000"))
SEED = int(os.environ.get("SAFE_LIGHTNING_FUZZ_SEED", "1"))
FINE = {"succeeded", "succeeded-with-conflicts"}
#: Without one of these nothing may be called a success, whatever else was lost.
SUCCESS_WORDS = (b"the whole procedure completed", b"tidb lightning exit successfully")
BYTES_MOST = 20_000

Mutation = Callable[[bytes, random.Random], bytes]


def cut_behind(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def cut_before(data: bytes, chance: random.Random) -> bytes:
    return data[chance.randrange(len(data) + 1) :]


def drop_lines(data: bytes, chance: random.Random) -> bytes:
    return b"".join(line for line in data.splitlines(keepends=True) if chance.random() < 0.8)


def shuffle_lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def double_lines(data: bytes, chance: random.Random) -> bytes:
    return b"".join(line * chance.choice((1, 1, 2)) for line in data.splitlines(keepends=True))


def spoil_bytes(data: bytes, chance: random.Random) -> bytes:
    spoiled = bytearray(data)
    for _ in range(chance.randrange(1, 40) if data else 0):
        spoiled[chance.randrange(len(spoiled))] = (
            chance.choice(b'\0\n\r"\\[]{}=`\x1b\xff :0') if chance.random() < 0.7 else chance.randrange(256)
        )
    return bytes(spoiled)


def remove_part(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.randrange(300) :]


def join_lines(data: bytes, chance: random.Random) -> bytes:
    return b"".join(line.rstrip(b"\n") if chance.random() < 0.1 else line for line in data.splitlines(keepends=True))


def prefix_lines(data: bytes, chance: random.Random) -> bytes:
    prefix = chance.choice((b"2024-01-02T03:04:05Z stdout F ", b"pod/x ", b"\x1b[33m", b"| ", b'{"log":"'))
    return b"".join(prefix + line for line in data.splitlines(keepends=True))


def repeat_part(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start : start + chance.randrange(40)] * chance.randrange(200) + data[start:]


MUTATIONS: tuple[Mutation, ...] = (
    cut_behind, cut_before, drop_lines, shuffle_lines, double_lines, spoil_bytes, remove_part, join_lines, prefix_lines,
    repeat_part,
)  # fmt: skip


def corpora() -> list[bytes]:
    """What failed or was stopped, and says nowhere that it completed: recorded logs, streams and quoted excerpts."""
    texts = [
        value.encode() for name, value in vars(test_log_corpus).items() if name.isupper() and isinstance(value, str)
    ]
    for recording in recordings():
        texts += [recording.bytes_of(name)[-BYTES_MOST:] for name in ("lightning.log", "stdout", "stderr")]
    return [text for text in dict.fromkeys(texts) if text and not any(words in text for words in SUCCESS_WORDS)]


def explain(data: bytes, as_batch: bool) -> Explainer:
    explainer = Explainer(keeps_all=True)
    if as_batch:
        explainer.add_batch(data.split(b"\n"))
    else:
        explainer.add(data.splitlines(keepends=True))
    return explainer


@pytest.mark.parametrize("part", range(10))
def test_spoiled_logs_are_explained_and_no_success_is_invented(part: int) -> None:
    chance, texts = random.Random(SEED * 1000 + part), corpora()
    assert texts
    for _ in range(CASES // 10):
        data = chance.choice(texts)
        if chance.random() < 0.2:
            data += chance.choice(texts)
        for _ in range(chance.randrange(1, 4)):
            data = chance.choice(MUTATIONS)(data, chance)[: 4 * BYTES_MOST]
        explainer = explain(data, as_batch=chance.random() < 0.5)
        for report in (*explainer.earlier, explainer.report()):
            json.dumps(to_json(report))
            assert all(isinstance(line, str) for line in to_text(report))
            assert report.outcome not in FINE or any(words in data for words in SUCCESS_WORDS), data


WHOLE = [r for r in recordings() if r.outcome and r.bytes_of("lightning.log")]


@pytest.mark.parametrize("recording", WHOLE[::6], ids=lambda r: r.name)
def test_leaving_lines_out_changes_nothing(recording: object) -> None:
    log = recording.bytes_of("lightning.log")  # type: ignore[attr-defined]
    careful, quick = explain(log, as_batch=False).report(), explain(log, as_batch=True).report()
    assert quick == careful


@pytest.mark.parametrize(
    "data",
    [b"[" * 500_000, b'"' * 500_000, b"\\" * 500_000, b"[[" * 9 + b" " * 500_000, b"] [" * 200_000, b"a " * 250_000,
     b'[2024/01/02 03:04:05.678 +00:00] [ERROR] [x.go:1] ["' + b'\\"' * 250_000, b"{" * 100_000,
     b"checksum mismatched remote vs local => (" * 20_000, b"`" * 300_000 + b"checksum mismatched", b"| " * 200_000,
     b"[Lightning:" * 50_000, b"config 'a' value " * 30_000, b"[2024/01/02 " * 50_000],
    ids=range(14),
)  # fmt: skip
def test_a_line_that_never_ends_is_read_in_time(data: bytes) -> None:
    for as_batch in (True, False):
        assert explain(data, as_batch).report().outcome not in FINE
