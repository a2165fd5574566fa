"""Which character set and collation a definition ends up with, in TiDB's way of inheriting them."""

from __future__ import annotations

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.schema_tokens import SchemaError

# Bytes a character takes at most.
CHARACTER_BYTES = {"utf8mb4": 4, "utf8": 3, "latin1": 1, "ascii": 1, "binary": 1, "gbk": 2}
_DEFAULTS = {"utf8mb4": "utf8mb4_bin", "utf8": "utf8_bin", "latin1": "latin1_bin", "ascii": "ascii_bin"}
_DEFAULTS |= {"binary": "binary"}
# Source: pkg/util/collate. With the new framework off TiDB takes any collation it knows the name of.
_NEW_COLLATIONS = frozenset(
    {
        "utf8mb4_bin",
        "utf8mb4_general_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_0900_ai_ci",
        "utf8mb4_0900_bin",
        "utf8mb4_zh_pinyin_tidb_as_cs",
        "utf8_bin",
        "utf8_general_ci",
        "utf8_unicode_ci",
        "latin1_bin",
        "ascii_bin",
        "binary",
        "gbk_bin",
        "gbk_chinese_ci",
    }
)


@dataclass(frozen=True)
class Collating:
    """A character set with a collation."""

    charset: str = "utf8mb4"
    collation: str = "utf8mb4_bin"


@dataclass(frozen=True)
class CharsetRules:
    """What the target decides: the new collation framework, and the collation that plain utf8mb4 means."""

    new_collation: bool = True
    utf8mb4_collation: str = "utf8mb4_bin"

    def default_collation(self, charset: str) -> str:
        """Return the collation of a character set that is named alone. Raises SchemaError for an unknown one."""
        if charset == "gbk":
            return "gbk_chinese_ci" if self.new_collation else "gbk_bin"
        if charset == "utf8mb4":
            return self.utf8mb4_collation
        if charset not in _DEFAULTS:
            raise SchemaError(f"unknown character set {charset}")
        return _DEFAULTS[charset]

    def resolve(self, charset: str | None, collation: str | None, inherited: Collating) -> Collating:
        """Settle what is written against what is inherited. Raises SchemaError where the server refuses.

        A character set named alone brings its own default collation: the table's or database's is not asked.
        """
        if charset is None and collation is None:
            return inherited
        charset = canonical(charset) if charset is not None else None
        if collation is None:
            assert charset is not None
            return Collating(charset, self.default_collation(charset))
        collation = canonical(collation)
        own = self._charset_of(collation)
        if charset is not None and charset != own:
            raise SchemaError(f"collation {collation} is not valid for character set {charset}")
        return Collating(own, collation)

    def _charset_of(self, collation: str) -> str:
        charset = collation if collation == "binary" else collation.split("_")[0]
        if charset not in CHARACTER_BYTES:
            raise SchemaError(f"unknown collation {collation}")
        if self.new_collation and collation not in _NEW_COLLATIONS:
            raise SchemaError(f"unsupported collation when new collation is enabled: {collation}")
        return charset


def canonical(name: str) -> str:
    """Write a character set or collation as TiDB keeps it: lower case, utf8 for utf8mb3."""
    lowered = name.lower()
    return "utf8" + lowered[len("utf8mb3") :] if lowered.startswith("utf8mb3") else lowered


def binary_collation(charset: str) -> str:
    """Return the collation that the attribute BINARY means."""
    return "binary" if charset == "binary" else f"{charset}_bin"
