"""The CSV dialect of a run: every option of [mydumper.csv], with Lightning's defaults and Lightning's refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.lightning.task_file import flag_of, section, text_of
from safe_lightning.source.charset import DATA_CHARSETS, Charset, charset_named
from safe_lightning.source.findings import ConfigProblem


@dataclass(frozen=True)
class CsvRules:
    """A dialect. ``delimiter`` is Lightning's word for the quote; ``terminator`` "" means every CR and every LF.

    Source: pkg/lightning/config, CSVConfig and its adjust.
    """

    separator: str = ","
    delimiter: str = '"'
    terminator: str = ""
    null: tuple[str, ...] = ("\\N",)
    header: bool = True
    header_schema_match: bool = True
    trim_last_separator: bool = False
    not_null: bool = False
    escaped_by: str = "\\"
    charset: str = "binary"
    invalid_char_replacement: str = "\ufffd"
    strict_format: bool = False

    @property
    def decoder(self) -> Charset:
        """The character set of the data."""
        return charset_named(self.charset, self.invalid_char_replacement)

    def encoded(self, text: str) -> bytes:
        """Write one of the signs as the bytes that stand in the file."""
        return self.decoder.encode(text)


def read_csv_rules(config: Mapping[str, Any]) -> CsvRules:
    """Read the dialect from a whole config file (lower-case keys). Raises ConfigProblem where Lightning refuses."""
    mydumper = section(config, "mydumper")
    csv = section(mydumper, "csv")
    rules = CsvRules(
        separator=text_of(csv, "separator", ","),
        delimiter=text_of(csv, "delimiter", '"'),
        terminator=text_of(csv, "terminator"),
        null=_null_list(csv),
        header=flag_of(csv, "header", True),
        header_schema_match=flag_of(csv, "header-schema-match", True),
        trim_last_separator=flag_of(csv, "trim-last-separator", False),
        not_null=flag_of(csv, "not-null", False),
        escaped_by=_escape(csv),
        charset=_charset(mydumper),
        invalid_char_replacement=text_of(mydumper, "data-invalid-char-replace", "\ufffd"),
        strict_format=flag_of(mydumper, "strict-format", False),
    )
    check_rules(rules)
    return rules


def check_rules(rules: CsvRules) -> None:
    """Refuse what Lightning refuses at its start. Raises ConfigProblem."""
    if not rules.separator:
        raise ConfigProblem("`mydumper.csv.separator` must not be empty")
    separator, delimiter = rules.separator, rules.delimiter
    if delimiter and (separator.startswith(delimiter) or delimiter.startswith(separator)):
        raise ConfigProblem("`mydumper.csv.separator` and `mydumper.csv.delimiter` must not be prefix of each other")
    if len(rules.escaped_by.encode()) > 1:
        raise ConfigProblem("`mydumper.csv.escaped-by` must be empty or a single character")
    if rules.escaped_by and rules.escaped_by in (separator, delimiter, rules.terminator):
        raise ConfigProblem(f"cannot use '{rules.escaped_by}' both as CSV escape and as another sign of the dialect")
    for sign in (separator, delimiter, rules.terminator):
        try:
            rules.encoded(sign)
        except UnicodeEncodeError as error:
            raise ConfigProblem(f"the sign '{sign}' of the CSV dialect does not exist in {rules.charset}") from error
    if rules.strict_format and not rules.terminator:
        raise ConfigProblem("`mydumper.csv.terminator` must not be empty when `mydumper.strict-format` is true")


def _escape(csv: Mapping[str, Any]) -> str:
    escaped_by = text_of(csv, "escaped-by", "\\")
    return "" if escaped_by == "\\" and not flag_of(csv, "backslash-escape", True) else escaped_by


def _null_list(csv: Mapping[str, Any]) -> tuple[str, ...]:
    value = csv.get("null", ["\\N"])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise ConfigProblem("`mydumper.csv.null` must be a string or a list of strings")
    return tuple(values) or ("",)


def _charset(mydumper: Mapping[str, Any]) -> str:
    name = text_of(mydumper, "data-character-set", "binary").lower() or "binary"
    if name not in DATA_CHARSETS:
        raise ConfigProblem(f"`mydumper.data-character-set` = '{name}' is not supported")
    return name
