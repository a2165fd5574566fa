"""The shipped weight tables are TiDB's: every code point, and no string weighs more or less than its characters."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import runpy
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.conflicts.collations import COLLATIONS, collate_of
from safe_lightning.conflicts.weights import ServerFails, gbk_characters, load_weights

WEIGHTS = Path(__file__).resolve().parents[1] / "oracle" / "weights"
TABLES = ("utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_0900_ai_ci")

FINGERPRINTS = {
    "utf8mb4_general_ci": "991ac13c0356eaa49308196283c0a07f1920c91f113007d0a56d06d4b00da758",
    "utf8mb4_unicode_ci": "f59dd16ae9f31dae0ba7f7b823bf1d8ce88fd79ce27c0094e3844770d58634fa",
    "utf8mb4_0900_ai_ci": "44148028482418755886c9710e144dc259509123d8f0542825c197a2512027b9",
}
"""SHA-256 over `CODEPOINT weight` lines that TiDB's own collators printed for all code points."""


def weight(table: str, point: int) -> str:
    try:
        return "".join(f"{unit:04x}" for unit in load_weights(table).units(point))
    except ServerFails:
        return "PANIC"


@pytest.mark.parametrize("table", TABLES)
def test_the_weight_of_every_code_point(table: str) -> None:
    digest = hashlib.sha256()
    for point in range(sys.maxunicode + 1):
        if not 0xD800 <= point <= 0xDFFF:
            digest.update(f"{point:X} {weight(table, point)}\n".encode())
    assert digest.hexdigest() == FINGERPRINTS[table]


def test_gbk_holds_and_equates_what_was_recorded() -> None:
    lines = gzip.decompress((WEIGHTS / "gbk_chinese_ci.tsv.gz").read_bytes()).decode().splitlines()
    recorded = {chr(int(point, 16)): weight for point, _, weight in (line.split("\t") for line in lines)}
    assert gbk_characters() == frozenset(recorded)
    ours = load_weights("gbk_chinese_ci")
    pairs = {(recorded[character], ours[ord(character)]) for character in recorded}
    assert len(pairs) == len(set(recorded.values())) == len({text for _, text in pairs})


@pytest.mark.parametrize("table", [*TABLES, "gbk_chinese_ci"])
def test_texts_stand_for_weights_one_to_one(table: str) -> None:
    """Equal texts, equal units: what the keys are made of neither joins nor splits a class of characters."""
    weights = load_weights(table)
    points = [point for first, last in weights.covered() for point in range(first, min(last, first + 300) + 1)]
    units = {point: tuple(weights.units(point)) for point in points if point != 0x2CEA1}
    texts = {point: weights[point] for point in units}
    assert len(set(units.values())) == len(set(texts.values())) == len({(units[p], texts[p]) for p in units})


WEIGHED = sorted(name for name, collation in COLLATIONS.items() if collation.table)
NEAR_EACH_OTHER = st.text(st.sampled_from("aAäÄßsS eé\u0301E\u200b\0ﬁfiIİ中\U0001f600\ufffd~Y[\\\u00a0"), max_size=8)


def units_of(table: str, text: str) -> list[int]:
    return [unit for character in text for unit in load_weights(table).units(ord(character))]


@pytest.mark.parametrize("name", WEIGHED)
@given(left=NEAR_EACH_OTHER, right=NEAR_EACH_OTHER)
def test_keys_are_equal_exactly_if_the_weights_are(name: str, left: str, right: str) -> None:
    collation = COLLATIONS[name]
    collate = collate_of(name, new_collation=True)
    if collation.pads:
        left, right = left.rstrip(" "), right.rstrip(" ")
    same_weight = units_of(collation.table, left) == units_of(collation.table, right)
    assert (collate(left.encode()) == collate(right.encode())) == same_weight


@pytest.mark.parametrize("name", WEIGHED)
@given(left=NEAR_EACH_OTHER, right=NEAR_EACH_OTHER.filter(lambda text: text == text.rstrip(" ") != ""))
def test_the_key_of_a_string_is_the_keys_of_its_parts(name: str, left: str, right: str) -> None:
    collate = collate_of(name, new_collation=True)
    inner = "".join(load_weights(COLLATIONS[name].table)[ord(character)] for character in left)
    assert collate((left + right).encode()) == inner.encode("utf-8", "surrogatepass") + collate(right.encode())


def test_recorded_strings_weigh_what_was_recorded() -> None:
    """Of 52,646 strings of each collation only those that end in blanks weigh other than their characters."""
    text = gzip.decompress((WEIGHTS / "concat_samples.tsv.gz").read_bytes()).decode()
    for table, points, together, apart in (line.split("\t") for line in text.splitlines()[1:]):
        string = "".join(chr(int(point, 16)) for point in points.split())
        units = units_of(table, string) if table in TABLES else []
        if table in TABLES:
            assert "".join(f"{unit:04X}" for unit in units) == apart
            stripped = units_of(table, string.rstrip(" "))
            assert "".join(f"{unit:04X}" for unit in stripped) == together


@pytest.mark.parametrize("table", [*TABLES, "gbk_chinese_ci"])
def test_the_shipped_table_is_what_the_script_makes_of_the_recordings(table: str) -> None:
    script = runpy.run_path(str(WEIGHTS.parents[2] / "scripts" / "pack_weights.py"))
    lines = script["gbk_lines"]() if table.startswith("gbk") else script["unicode_lines"](table)
    packed = (script["TARGET"] / f"{table}.tsv.xz").read_bytes()
    assert lzma.decompress(packed).decode("ascii").splitlines() == lines
