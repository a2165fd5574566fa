"""Masking of secrets and of row data in everything that leaves the process.

When in doubt more is masked, never less: a value whose end cannot be told is masked to the end of its word,
a quoted one without a closing quote to the end of the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MASK = "***"

_NAMES = (
    r"passw(?:or)?d|passphrase|secret[-_]?access[-_]?key|access[-_]?key(?:[-_]?(?:id|secret))?|secret[-_]?key|secret"
    r"|(?:session|security|sas|auth|access|refresh)[-_]?token|(?<=[?&])token|account[-_]?key"
    r"|shared[-_]?access[-_]?signature|credential|signature|(?<![a-z0-9])sig|encryption[-_]?key"
)
_NAME = re.compile(rf"(?:{_NAMES}|authorization)$", re.IGNORECASE)
#: ``name=value``, ``"name":"value"`` at any depth of escaping, ``name: value``, ``"name","value"``.
_NAMED = re.compile(
    rf"((?:{_NAMES})(?:(?:\\*[\"'`])?\s{{0,8}}(?:[=:]|%3D)\s{{0,8}}|\\*[\"']\s{{0,8}},\s{{0,8}}))"
    r"(?!(?:YES|NO)\))"  # the server's "(using password: YES)" tells no secret, and why a login failed
    r"(?:(\\*(?:\"\"\"|'''|[\"'`])).*?(?:(?<!\\)\2|$)|[^\s&\"'`]+)",
    re.IGNORECASE | re.DOTALL,
)
_FLAG = re.compile(r"(-tidb-password(?:\s{1,8}|=))(?:(['\"]).*?(?:\2|$)|\S+)", re.DOTALL)
_HEADER = re.compile(
    r"(authorization(?:\\*[\"'])?\s{0,8}[=:]\s{0,8}\[?(?:\\*[\"'])?)[^\"'\n\r\\]+",
    re.IGNORECASE,
)
_URL = re.compile(r"(://[^\s/:@\"'?#]{0,200}:)(?:[^\s/\"'?#]{0,1000}@|[^\s\"']{0,1000}@)")
_DSN_END = re.compile(r"@(?:[a-z]\w{0,20})?\(", re.IGNORECASE)
_DSN = re.compile(r"((?<![^\s\"'`=(\[,])[^\s:@/\"'`=(\[,]{0,200}:)\S{0,1000}@((?:[a-z]\w{0,20})?\()", re.IGNORECASE)
#: A password with blanks in it: where it begins cannot be told, so the nearest "word:" before it is taken for the user.
_DSN_BLANKS = re.compile(r"([^\s:/@\"'=]{1,100}:)[^\n\"]{1,200}?(?<!\*\*\*)@((?:tcp|unix)\()")
_KEY_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}")
#: Tables are called accounts and access_log; only what is called a key of theirs is a secret.
_KEY = re.compile(r"(?:access|account)[-_]?key")
_PASSWORD_FLAG = "tidb-password"


#: What no secret comes without, in lower case, and what may hide it: the rough look at many lines at once.
_HINTS = (
    b"@", b"pass", b"secret", b"token", b"access", b"account", b"credential", b"authoriz", b"sig", b"encryption",
    b"akia", b"asia", b"\\u",
)  # fmt: skip


def lines_with_secrets(lines: Sequence[str]) -> set[int]:
    """Tell which lines could hold a secret; that the others hold none is certain.

    >>> sorted(lines_with_secrets(["a", "byPass", "c"]))
    [1]
    """
    low = "\n".join(lines).encode("utf-8", "surrogatepass").lower()
    found = [hint for hint in _HINTS if hint in low]
    rough = {number for hint in found for number, line in enumerate(low.split(b"\n")) if hint in line}
    return {number for number in rough if "\\u" in lines[number] or may_hold_secret(lines[number])}


def may_hold_secret(text: str) -> bool:
    """Tell quickly whether a text could hold a secret; False is certain."""
    low = text.lower()
    return "@" in text or "authoriz" in low or _holds_name(low) or "AKIA" in text or "ASIA" in text


def _holds_name(low: str) -> bool:
    # Written out, for this runs for most lines: a loop costs twice, a pattern that ignores case ten times as much.
    return (
        "pass" in low
        or "secret" in low
        or "token" in low
        or ("access" in low and _KEY.search(low) is not None)
        or ("account" in low and _KEY.search(low) is not None)
        or "credential" in low
        or "sig" in low
        or "encryption" in low
    )


def redact(text: str) -> str:
    """Mask every secret in a text.

    >>> redact("mysql://root:hunter2@127.0.0.1:4000/?password=x")
    'mysql://root:***@127.0.0.1:4000/?password=***'
    """
    low = text.lower()
    if "authoriz" in low:
        text = _HEADER.sub(rf"\1{MASK}", text)
    if _holds_name(low):
        text = _NAMED.sub(rf"\1\2{MASK}\2", _FLAG.sub(rf"\1{MASK}", text))
    if "@" in text:
        text = _redact_addresses(text)
    return _KEY_ID.sub(MASK, text) if "AKIA" in text or "ASIA" in text else text


def _redact_addresses(text: str) -> str:
    if "://" in text:
        text = _URL.sub(rf"\1{MASK}@", text)
    if _DSN_END.search(text):
        text = _DSN_BLANKS.sub(rf"\1{MASK}@\2", _DSN.sub(rf"\1{MASK}@\2", text))
    return text


def redact_argv(argv: Iterable[str]) -> tuple[str, ...]:
    """Mask every secret in a command line; the word after a bare password flag is one, whatever it looks like.

    >>> redact_argv(["-tidb-password", "-x", "--tidb-password=a b", "-d", "s3://b?access-key=AK"])
    ('-tidb-password', '***', '--tidb-password=***', '-d', 's3://b?access-key=***')
    """
    shown: list[str] = []
    is_secret = False
    for word in argv:
        name, sign, _ = word.partition("=")
        is_flag = name.startswith("-") and name.lstrip("-") == _PASSWORD_FLAG
        if is_secret:
            shown.append(MASK)
        else:
            shown.append(f"{name}={MASK}" if is_flag and sign else redact(word))
        is_secret = is_flag and not sign and not is_secret
    return tuple(shown)


@functools.lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Tell whether what goes by this name is a secret as a whole.

    >>> is_secret_name("tidb.password"), is_secret_name("secret-access-key"), is_secret_name("key")
    (True, True, False)
    """
    return _NAME.search(name) is not None


def redact_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Mask the secrets in a record's fields, by their names and in their values."""
    return {redact(name): MASK if value and is_secret_name(name) else redact(value) for name, value in fields.items()}


def redact_data(data: Any) -> Any:  # noqa: ANN401 - whatever an event carries
    """Mask the secrets in nested data; what is neither text nor a container stays as it is."""
    if isinstance(data, str):
        return redact(data)
    if isinstance(data, Mapping):
        return {
            name: MASK if value and is_secret_name(str(name)) else redact_data(value) for name, value in data.items()
        }
    if isinstance(data, list | tuple | set | frozenset):
        return [redact_data(item) for item in data]
    return data


#: Fields of Lightning's records that hold rows as they were read (pkg/lightning/backend: tidb, kv, local).
_ROW_FIELDS = frozenset({"rows", "row", "original", "data", "args", "rowData", "row_data", "datums", "vals"})
_STATEMENT_FIELDS = frozenset({"stmt", "sql", "query"})
_MAY_HOLD_ROWS = _ROW_FIELDS | _STATEMENT_FIELDS
_BARE_ROW = re.compile(rf"\[(?:{'|'.join(sorted(_ROW_FIELDS))})=")
_WRITING = re.compile(r"\b(?:INSERT|REPLACE)\s", re.IGNORECASE)
_VALUES = re.compile(r"\bVALUES?\s*(?=\()", re.IGNORECASE)


def redact_rows(fields: Mapping[str, str]) -> dict[str, str]:
    """Replace the row data that records carry by its size; the server's own words about it stay.

    Lightning logs a refused batch whole, twice (as rows and as statement), up to hundreds of kilobytes.

    >>> redact_rows({"rows": "[('1','a')]", "stmt": "INSERT INTO `t` VALUES('1','a')", "error": "Error 1062"})
    {'rows': '(11 bytes of row data)', 'stmt': 'INSERT INTO `t` VALUES(9 bytes of row data)', 'error': 'Error 1062'}
    """
    if not any(name in _MAY_HOLD_ROWS or name.startswith("error") for name in fields):
        return dict(fields)
    return {name: _without_rows(name, value) for name, value in fields.items()}


def _without_rows(name: str, value: str) -> str:
    if name in _ROW_FIELDS:
        return value if value.isdigit() or not value else _note(value)
    if name in _STATEMENT_FIELDS:
        return redact_rows_in_text(value)
    return redact_rows_in_text(value) if name.startswith("error") else value


def lines_with_bare_rows(lines: Sequence[str]) -> set[int]:
    """Tell which lines have a field of row data, of lines in which no field's name is quoted.

    >>> sorted(lines_with_bare_rows([" [a=1]", " [row=1]"]))
    [1]
    """
    if _BARE_ROW.search("\n".join(lines)) is None:
        return set()
    return {number for number, line in enumerate(lines) if _BARE_ROW.search(line)}


def redact_continued(name: str, text: str) -> str:
    """Replace the further lines of a value, that of a field whose quotes never closed, where they may be rows.

    >>> redact_continued("rows", "5,'b')]"), redact_continued("errorVerbose", "main.go:1")
    ('(7 bytes of row data)', 'main.go:1')
    """
    return _note(text) if name in _MAY_HOLD_ROWS else redact_rows_in_text(text)


def redact_rows_in_text(text: str) -> str:
    """Replace the rows that a statement or an error message quotes by their size."""
    if ("VALUE" in text or "value" in text or "Value" in text) and (writing := _WRITING.search(text)):
        values = _VALUES.search(text, writing.end())
        text = text[: values.end()] + _note(text[values.end() :]) if values else text
    text = _without_quoted(text, "row data is '", "")
    return _without_quoted(text, "found duplicate key '", "', value '")


def _without_quoted(text: str, words: str, then: str) -> str:
    """Replace what the quote at the end of these words opens, up to the last quote."""
    start = text.find(words)
    after = text.find(then, start) if start >= 0 else -1
    if after < 0:
        return text
    opening = after + len(then or words) - 1
    closing = text.rfind("'")
    end = closing if closing > opening else len(text)
    return f"{text[:opening]}{_note(text[opening + 1 : end])}{text[end + 1 :]}"


def _note(rows: str) -> str:
    return f"({len(rows.encode('utf-8', 'surrogatepass'))} bytes of row data)"
