"""Column types: every spelling that TiDB reads, turned into the type it keeps."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from safe_lightning.core.columns import BLOB_BYTES, CHARACTER_TYPES, INTEGER_BITS, TEXT_BYTES, ColumnType
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.schema_charset import CHARACTER_BYTES, CharsetRules, Collating, binary_collation
from safe_lightning.source.schema_tokens import SchemaError, TokenStream

_INTEGERS = {name: name for name in INTEGER_BITS}
_INTEGERS |= {"int1": "tinyint", "int2": "smallint", "int3": "mediumint", "int4": "int", "int8": "bigint"}
_INTEGERS |= {"middleint": "mediumint", "integer": "int", "bool": "tinyint", "boolean": "tinyint"}
_DECIMALS = {"decimal", "dec", "numeric", "fixed"}
_FLOATS = {"float": "float", "float4": "float", "float8": "double", "double": "double", "real": "double"}
_TIMES = {"datetime", "timestamp", "time"}
_OTHERS = {"date", "json", "vector"}
_BYTES_OF_TEXT = {"char": "binary", "varchar": "varbinary"}
_BYTES_OF_TEXT |= dict(zip(TEXT_BYTES, BLOB_BYTES, strict=True))
_VARCHAR_BYTES_MOST = 65_535


@dataclass
class WrittenType:
    """A type as it is written, before character set and collation are settled."""

    type: ColumnType
    charset: str | None = None
    collation: str | None = None
    is_binary: bool = False


def read_type(stream: TokenStream) -> WrittenType:
    """Read a type with its attributes. Raises SchemaError for one that TiDB does not have."""
    word = stream.name().lower() if stream.peek().kind == "word" else stream.fail("expected a type")
    written = (
        _numeric(stream, word)
        or _temporal(stream, word)
        or _character(stream, word)
        or _byte_string(stream, word)
        or _enumeration(stream, word)
    )
    if written is None:
        raise SchemaError(f"unknown type {word}")
    return written


def _length(stream: TokenStream) -> int | None:
    if not stream.takes("("):
        return None
    length = stream.integer()
    stream.expect(")")
    return length


def _precision(stream: TokenStream) -> tuple[int | None, int | None]:
    if not stream.takes("("):
        return None, None
    digits = stream.integer()
    scale = stream.integer() if stream.takes(",") else None
    stream.expect(")")
    return digits, scale


def _signs(stream: TokenStream) -> bool:
    unsigned = False
    while word := stream.takes_any("unsigned", "signed", "zerofill"):
        unsigned = unsigned or word != "signed"
    return unsigned


def _numeric(stream: TokenStream, word: str) -> WrittenType | None:
    if word == "serial":
        return WrittenType(ColumnType("bigint", unsigned=True))
    if word in _INTEGERS:
        if word not in ("bool", "boolean"):
            _length(stream)
        return WrittenType(ColumnType(_INTEGERS[word], unsigned=_signs(stream)))
    if word in _DECIMALS:
        digits, scale = _precision(stream)
        return WrittenType(_decimal(10 if digits is None else digits, scale or 0, _signs(stream)))
    if word in _FLOATS:
        if word == "double":
            stream.takes("precision")
        digits, scale = _precision(stream)
        return WrittenType(_float(_FLOATS[word], digits, scale, _signs(stream)))
    if word == "bit":
        return WrittenType(ColumnType("bit", _within(_length(stream), 1, 64, "bit")))
    return None


def _within(value: int | None, default: int, most: int, what: str) -> int:
    value = default if value is None else value or default
    if value > most:
        raise SchemaError(f"{what}({value}): the maximum is {most}")
    return value


def _decimal(digits: int, scale: int, unsigned: bool) -> ColumnType:
    digits = digits or 10
    if digits > 65 or scale > 30 or scale > digits:
        raise SchemaError(f"decimal({digits},{scale}) is out of range")
    return ColumnType("decimal", digits, scale, unsigned=unsigned)


def _float(name: str, digits: int | None, scale: int | None, unsigned: bool) -> ColumnType:
    if scale is not None:
        if digits is None or digits > 255 or scale > 30 or scale > digits:
            raise SchemaError(f"{name}({digits},{scale}) is out of range")
        return ColumnType(name, digits, scale, unsigned=unsigned)
    if digits is not None and (name == "double" or digits > 53):
        raise SchemaError(f"{name}({digits}) is not a type")
    return ColumnType("double" if digits is not None and digits > 24 else name, unsigned=unsigned)


def _temporal(stream: TokenStream, word: str) -> WrittenType | None:
    if word in _TIMES:
        return WrittenType(ColumnType(word, fsp=_fraction(_length(stream), word)))
    if word == "year" or word in _OTHERS:
        _length(stream) if word in ("year", "vector") else None
        return WrittenType(ColumnType(word))
    return None


def _fraction(fsp: int | None, word: str) -> int:
    if fsp is not None and fsp > 6:
        raise SchemaError(f"too big precision {fsp} for {word}: the maximum is 6")
    return fsp or 0


def _character(stream: TokenStream, word: str) -> WrittenType | None:
    is_national = word in ("national", "nchar", "nvarchar")
    name = _character_name(stream, word)
    if name is None:
        return None
    length = _length(stream) if name not in ("tinytext", "mediumtext", "longtext") else None
    if name == "varchar" and length is None:
        stream.fail("varchar needs a length")
    if name == "char":
        length = _within_char(length)
    written = _attributes(stream, ColumnType(name, length))
    if is_national:
        # TiDB takes the national character set to be its own default.
        written.charset, written.collation = "utf8mb4", "utf8mb4_bin"
    return written


def _within_char(length: int | None) -> int:
    if length is not None and length > 255:
        raise SchemaError(f"char({length}): the maximum is 255")
    return 1 if length is None else length


def _character_name(stream: TokenStream, word: str) -> str | None:
    if word == "national":
        word = stream.takes_any("char", "character", "varchar", "varcharacter") or stream.fail("expected CHAR")
    if word in ("char", "character", "nchar"):
        is_varying = stream.takes_any("varying", *(("varchar", "varcharacter") if word == "nchar" else ()))
        return "varchar" if is_varying else "char"
    if word == "long":
        if stream.peek().is_word("varbinary", "byte"):
            return None
        stream.takes_any("varchar", "varcharacter") or (stream.takes("char", "varying"))
        return "mediumtext"
    if word in ("varchar", "varcharacter", "nvarchar"):
        return "varchar"
    return word if word in TEXT_BYTES else None


def _attributes(stream: TokenStream, of_type: ColumnType) -> WrittenType:
    written = WrittenType(of_type)
    while True:
        if stream.takes("character", "set") or stream.takes("charset") or stream.takes("char", "set"):
            written.charset = stream.word_or_text()
        elif stream.takes("binary"):
            written.is_binary = True
        elif stream.takes("ascii"):
            written.charset = "latin1"
        elif stream.takes("unicode"):
            stream.fail("the character set ucs2 is not supported")
        elif stream.takes("collate"):
            written.collation = stream.word_or_text()
        else:
            return written


def _byte_string(stream: TokenStream, word: str) -> WrittenType | None:
    if word == "long":
        stream.takes_any("varbinary", "byte")
        return WrittenType(ColumnType("mediumblob", BLOB_BYTES["mediumblob"]))
    if word == "binary":
        return WrittenType(ColumnType("binary", _within_char(_length(stream))))
    if word == "varbinary":
        length = _length(stream)
        if length is None:
            stream.fail("varbinary needs a length")
        return WrittenType(ColumnType("varbinary", length))
    if word in BLOB_BYTES:
        return WrittenType(ColumnType(word, _length(stream) if word == "blob" else None))
    return None


def _enumeration(stream: TokenStream, word: str) -> WrittenType | None:
    if word not in ("enum", "set"):
        return None
    stream.expect("(")
    members = [stream.text()]
    while stream.takes(","):
        members.append(stream.text())
    stream.expect(")")
    return _attributes(stream, ColumnType(word, members=tuple(member.rstrip(" ") for member in members)))


def settle_type(written: WrittenType, inherited: Collating, rules: CharsetRules) -> ColumnType:
    """Settle character set, collation and length of a type. Raises SchemaError where the server refuses."""
    of_type = written.type
    if of_type.name not in CHARACTER_TYPES and of_type.name not in ("enum", "set"):
        is_bytes = of_type.name in BLOB_BYTES or of_type.name in ("binary", "varbinary")
        settled = replace(of_type, charset="binary", collation="binary") if is_bytes else of_type
        return _sized(settled, 1)
    collating = rules.resolve(written.charset, written.collation, inherited)
    if written.is_binary:
        collating = Collating(collating.charset, binary_collation(collating.charset))
    name = _BYTES_OF_TEXT.get(of_type.name, of_type.name) if collating.charset == "binary" else of_type.name
    settled = replace(of_type, name=name, charset=collating.charset, collation=collating.collation)
    _check_members(settled, rules.new_collation)
    return _sized(settled, CHARACTER_BYTES[collating.charset])


def _sized(of_type: ColumnType, character_bytes: int) -> ColumnType:
    """Give TEXT and BLOB kinds the size TiDB gives them, and refuse what is too long."""
    if of_type.name in ("varchar", "varbinary"):
        if (of_type.length or 0) * character_bytes > _VARCHAR_BYTES_MOST:
            raise SchemaError(f"{of_type.name}({of_type.length}) is longer than {_VARCHAR_BYTES_MOST} bytes")
        return of_type
    kinds = TEXT_BYTES if of_type.name in TEXT_BYTES else BLOB_BYTES
    if of_type.name not in kinds:
        return of_type
    if of_type.name in ("text", "blob") and of_type.length:
        wanted = of_type.length * character_bytes
        name = next((name for name, size in kinds.items() if wanted <= size), "")
        if not name:
            raise SchemaError(f"{of_type.name}({of_type.length}) is too long")
        return replace(of_type, name=name, length=kinds[name])
    return replace(of_type, length=kinds[of_type.name])


def _check_members(of_type: ColumnType, new_collation: bool) -> None:
    seen = set[str]()
    for member in of_type.members:
        form = _folded(member, of_type.collation) if new_collation else member
        if form in seen:
            raise SchemaError(f"duplicated value {member!r} in {of_type.name}")
        seen.add(form)


def _folded(member: str, collation: str) -> str:
    """Fold what a collation takes for equal, roughly: an accepted duplicate does no harm, the server refuses it."""
    if not collation.endswith("_ci"):
        return member
    if collation.startswith("gbk"):
        return "".join(sign.upper() if sign.isascii() else sign for sign in member)
    is_general = collation.endswith("general_ci")
    parts = unicodedata.normalize("NFD" if is_general else "NFKD", member.upper() if is_general else member.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign)) or member
