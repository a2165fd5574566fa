"""Character sets: agreement with TiDB's own tables, and refusal where the editions of a standard disagree."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.source.charset import DATA_CHARSETS, charset_named, decode_gb, decode_schema, go_lower

GBK = Path(__file__).resolve().parents[1] / "oracle" / "weights" / "gbk_chinese_ci.tsv.gz"


def test_gbk_decodes_every_character_that_tidb_writes() -> None:
    lines = gzip.decompress(GBK.read_bytes()).decode().splitlines()
    wrong = [
        line
        for code, encoded, _weight in (line.split("\t") for line in lines)
        if decode_gb(bytes.fromhex(encoded), "gbk") != chr(int(code, 16))
        for line in [code]
    ]
    assert len(lines) == 21_999
    assert wrong == []


@pytest.mark.parametrize(
    ("data", "codec", "expected"),
    [
        (b"\x80", "gbk", "€"),
        (b"\xff\xfe", "gbk", "\ufffd\ufffd"),
        (b"\x81", "gbk", "\ufffd"),
        (b"\x81\x20", "gbk", "\ufffd "),
        (b"\x81\x30\x81\x30", "gbk", "\ufffd0\ufffd0"),
        (b"\x81\x30\x81\x30", "gb18030", "\x80"),
        (b"\x90\x30\x81\x30", "gb18030", "\U00010000"),
        (b"\xe3\x32\x9a\x36", "gb18030", "\ufffd2\ufffd6"),
        (b"\x81\x30\x81", "gb18030", "\ufffd0\ufffd"),
    ],
)
def test_bytes_that_are_no_character(data: bytes, codec: str, expected: str) -> None:
    assert decode_gb(data, codec) == expected


@pytest.mark.parametrize("data", [b"\xa6\xd9", b"\xa8\xbc", b"\xfe\x59", b"\x84\x31\x82\x36", b"\x81\x35\xf4\x37"])
def test_a_character_that_moved_between_editions_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="editions"):
        decode_gb(b"x" + data, "gb18030")


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        ("é".encode(), "auto", "é"),
        ("中".encode("gbk"), "auto", "中"),
        (b"\xff", "binary", "\udcff"),
        (b"\x80", "latin1", "€"),
        ("中".encode(), "utf8mb4", "中"),
    ],
)
def test_schema_files(data: bytes, charset: str, expected: str) -> None:
    assert decode_schema(data, charset) == expected


@pytest.mark.parametrize(
    ("data", "charset", "words"),
    [
        (b"a\xff", "utf8mb4", "byte 1"),
        (b"\xff", "auto", "gb18030"),
        (b"\x81", "latin1", "latin1"),
        (b"a", "utf16", "unsupported"),
    ],
)
def test_schema_files_that_lightning_refuses(data: bytes, charset: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode_schema(data, charset)


@pytest.mark.parametrize(("text", "expected"), [("AÉ", "aé"), ("ΣΑΣ", "σασ"), ("İ", "i"), ("ẞ", "ß")])
def test_lower_case_is_gos(text: str, expected: str) -> None:
    assert go_lower(text) == expected


@given(data=st.binary(max_size=30), name=st.sampled_from(DATA_CHARSETS))
def test_any_bytes_are_decoded_or_refused(data: bytes, name: str) -> None:
    try:
        charset_named(name).decode(data).decode("utf-8" if name.startswith("g") else "latin1")
    except UnicodeDecodeError:
        pytest.fail("decoded into bytes that are not UTF-8")
    except ValueError:
        assert name in ("gbk", "gb18030")
