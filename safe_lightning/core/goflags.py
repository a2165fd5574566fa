"""Reading a command line as Go's ``flag`` package does, for every flag of Lightning 4.0 to 8.5.

One or two dashes are the same, ``-name=value`` or ``-name value``, a boolean takes a value only by ``=``, the
first word without a dash or ``--`` ends the flags, and what follows is ignored by Lightning without a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum

from safe_lightning.core.lean_dataclass import dataclass


class Kind(Enum):
    """What a flag takes."""

    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    LIST = "list"


def _names(text: str) -> list[str]:
    return text.split()


_TEXT = _names(
    "config c L log-file tidb-host tidb-user tidb-password pd-urls d backend importer sorted-kv-dir "
    "checksum analyze ca cert key status-addr"
)
_BOOL = _names("V h help enable-checkpoint no-schema check-requirements redact-info-log server-mode")
_NUMBER = _names("tidb-port tidb-status")

#: Flags of tidb-lightning; those that only some releases know are left to the child.
LIGHTNING_FLAGS: Mapping[str, Kind] = {
    **dict.fromkeys(_TEXT, Kind.TEXT),
    **dict.fromkeys(_BOOL, Kind.BOOL),
    **dict.fromkeys(_NUMBER, Kind.NUMBER),
    "f": Kind.LIST,
}

_CONTROL_BOOL = _names("compact fetch-mode check-local-storage")
_CONTROL_TEXT = _names(
    "switch-mode checkpoint-remove checkpoint-error-ignore checkpoint-error-destroy checkpoint-dump "
    "import-engine cleanup-engine"
)

#: Flags that make the control tool act.
CONTROL_TOOL_FLAGS: Mapping[str, Kind] = {
    **dict.fromkeys(_CONTROL_BOOL, Kind.BOOL),
    **dict.fromkeys(_CONTROL_TEXT, Kind.TEXT),
}

_LEVELS = frozenset({"", "required", "optional", "off", "true", "false"})

#: Flags that take one of a few words. The backends grow from release to release.
CHOICES: Mapping[str, frozenset[str]] = {
    "L": frozenset({"", "info", "debug", "warn", "warning", "error", "fatal"}),
    "backend": frozenset({"", "local", "tidb"}),
    "checksum": _LEVELS,
    "analyze": _LEVELS,
}
#: Where releases differ: 4.0.0 takes -checksum and -analyze as plain booleans, others know more backends.
_DIFFERING = frozenset({"checksum", "analyze", "backend"})

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_HELP = frozenset({"h", "help"})

_NUMBER_FORM = re.compile(
    r"([+-]?)(?:0[xX](_?[0-9a-fA-F]+)+|0[bB](_?[01]+)+|0[oO]?(_?[0-7]+)+|[1-9][0-9]*(_[0-9]+)*|0)"
)
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class FlagProblem:
    """A word that Go's flag package would stumble over, in its own terms."""

    flag: str
    message: str
    is_certain: bool = True


@dataclass(frozen=True)
class GoFlags:
    """A command line, read. ``values`` holds the last value of each flag, ``-f`` all of them.

    Behind an unknown flag the reading goes on as a release that knows it might, so that what is given there is
    not lost; ``unknown`` says that all of it is a guess.
    """

    values: Mapping[str, str]
    filters: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    problems: tuple[FlagProblem, ...] = ()

    def text(self, name: str) -> str:
        """Return a flag's value; "" where it was not given, as Go's default is."""
        return self.values.get(name, "")

    def number(self, name: str) -> int:
        """Return a number flag's value; 0 where it was not given."""
        return read_number(self.values.get(name, "0")) or 0

    def is_set(self, name: str) -> bool:
        """Whether a boolean was given as true."""
        return self.values.get(name, "") in _TRUE

    def is_off(self, name: str) -> bool:
        """Whether a boolean was given as false."""
        return self.values.get(name, "") in _FALSE

    @property
    def is_control_tool_call(self) -> bool:
        """Whether the flags are those of tidb-lightning-ctl."""
        return any(name in CONTROL_TOOL_FLAGS for name in self.values)

    @property
    def is_info_only(self) -> bool:
        """Whether the version or the usage is asked for, which is answered before any config is read.

        Go answers -h as soon as it meets it; -V counts only when the whole line could be read.
        """
        is_readable = not any(problem.is_certain for problem in self.problems)
        return any(name in _HELP for name in self.values) or (self.is_set("V") and is_readable)


def read_flags(argv: Sequence[str]) -> GoFlags:
    """Read a command line up to the first thing that Go would stop at.

    >>> flags = read_flags(["-config=a.toml", "--no-schema", "-f", "a.*", "-f=b.*", "x", "-d", "y"])
    >>> flags.values, flags.filters, flags.stray
    ({'config': 'a.toml', 'no-schema': 'true', 'f': 'b.*'}, ('a.*', 'b.*'), ('x', '-d', 'y'))
    """
    reader = _Reader(list(argv))
    while reader.step():
        pass
    return reader.result()


def read_number(text: str) -> int | None:
    """Read an integer as Go's strconv does with base 0; None for what it refuses.

    >>> read_number("0x1F"), read_number("010"), read_number("4_000"), read_number(" 1"), read_number("08")
    (31, 8, 4000, None, None)
    """
    if len(text) > 100 or not _NUMBER_FORM.fullmatch(text):
        return None
    sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text.lstrip("+"))
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in "xXbBoO":
        digits = f"0o{digits[1:].lstrip('_')}"
    value = int(sign + digits, 0)
    return value if value in _INT64 else None


class _Reader:
    def __init__(self, words: list[str]) -> None:
        self._words = words[::-1]  # the next word is the last of the list
        self._values: dict[str, str] = {}
        self._filters: list[str] = []
        self._problems: list[FlagProblem] = []
        self._unknown: list[str] = []

    def step(self) -> bool:
        """Read one flag; False when Go would read no further."""
        if not self._words or len(self._words[-1]) < 2 or self._words[-1][0] != "-":
            return False
        word = self._words.pop()
        name = word[2:] if word.startswith("--") else word[1:]
        if word == "--":
            return False
        if not name or name[0] in "-=":
            return self._refuse(word, f"bad flag syntax: {word}")
        name, has_value, value = name.partition("=")
        kind = LIGHTNING_FLAGS.get(name) or CONTROL_TOOL_FLAGS.get(name)
        if kind is None:
            return self._pass_over(name, bool(has_value))
        return self._take(name, kind, value if has_value else None)

    def _pass_over(self, name: str, has_value: bool) -> bool:
        self._unknown.append(name)
        self._problems.append(FlagProblem(name, f"flag provided but not defined: -{name}", is_certain=False))
        if not has_value and self._words and not self._words[-1].startswith("-"):
            self._words.pop()  # more likely its value than a stray word
        return True

    def _take(self, name: str, kind: Kind, value: str | None) -> bool:
        if name in _HELP:
            self._keep(name, "true")
            return False
        if kind is Kind.BOOL:
            return self._take_bool(name, "true" if value is None else value)
        if value is None:
            if not self._words:
                return self._refuse(name, f"flag needs an argument: -{name}", is_certain=name not in _DIFFERING)
            value = self._words.pop()
        if kind is Kind.NUMBER and read_number(value) is None:
            return self._refuse(name, f'invalid value "{value}" for flag -{name}: parse error')
        if value not in CHOICES.get(name, {value}):
            return self._refuse_choice(name, value)
        self._keep(name, value)
        return True

    def _take_bool(self, name: str, value: str) -> bool:
        if value not in _TRUE | _FALSE:
            return self._refuse(name, f'invalid boolean value "{value}" for -{name}: parse error')
        self._keep(name, value)
        return True

    def _refuse_choice(self, name: str, value: str) -> bool:
        self._refuse(name, f'invalid value "{value}" for flag -{name}', is_certain=name not in _DIFFERING)
        if name in _DIFFERING:
            self._keep(name, value)
        return name in _DIFFERING

    def _keep(self, name: str, value: str) -> None:
        if name == "f":
            self._filters.append(value)
        # -c and -config write one variable, the last on the line wins.
        self._values["config" if name == "c" else name] = value

    def _refuse(self, name: str, message: str, is_certain: bool = True) -> bool:
        self._problems.append(FlagProblem(name, message, is_certain))
        return False

    def result(self) -> GoFlags:
        return GoFlags(
            self._values, tuple(self._filters), tuple(self._words[::-1]), tuple(self._unknown), tuple(self._problems)
        )
