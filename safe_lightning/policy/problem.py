"""What is wrong with a policy: one line each, with the place, the key, what was found and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import redact

#: Place of a key or an element in the file: names, and positions in lists from 0.
KeyPath = tuple[str | int, ...]

_SHOWN_CHARACTERS_MOST = 80
_SHOWN_PROBLEMS_MOST = 200
_INTEGER_BITS_MOST = 64


@dataclass(frozen=True)
class Place:
    """Where something was set: a file and its line (0: none in particular), or "environment NAME"."""

    name: str
    line: int = 0

    def __str__(self) -> str:
        return printable(f"{self.name}:{self.line}" if self.line else self.name)


@dataclass(frozen=True)
class Problem:
    """One error; ``key`` is dotted, and empty where no key is concerned.

    ``found`` and ``options`` lead to the nearest allowed word, which is looked for only when the error is shown.
    """

    place: Place
    key: str
    message: str
    found: str = ""
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.place}: {key}{self.text}"

    @property
    def text(self) -> str:
        """Say what was found, what is allowed, and which allowed word is nearest."""
        near = nearest(self.found, self.options)
        return printable(self.message) + (f'; nearest is "{near}"' if near else "")


class PolicyError(Exception):
    """The policy is wrong; ``problems`` holds every error, and the text shows one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:_SHOWN_PROBLEMS_MOST]]
        more = len(self.problems) - len(lines)
        return "\n".join([*lines, *([f"and {more} more errors"] if more else [])])


def nearest(found: str, options: Iterable[str]) -> str:
    """Return the option that somebody may have meant, or "": by spelling, else by the last part of its name."""
    from difflib import get_close_matches

    if not found or len(found) > _SHOWN_CHARACTERS_MOST:
        return ""
    names = list(options)
    plain = found.lower().replace("-", "_")
    by_spelling = {name.lower().replace("-", "_"): name for name in names}
    by_last_part = {name.rpartition(".")[2]: name for name in names}
    for known in (by_spelling, by_last_part):
        if close := get_close_matches(plain, known, n=1, cutoff=0.7):
            return known[close[0]]
    return ""


def dotted(path: KeyPath) -> str:
    """Write a path as people count: list entries from 1.

    >>> dotted(("hooks", 0, "timeout")), dotted(("a b",))
    ('hooks[1].timeout', '"a b"')
    """
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{_bare(part)}"
    return text.removeprefix(".")


def _bare(name: str) -> str:
    is_plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_plain and len(name) <= _SHOWN_CHARACTERS_MOST else shown(name)


def shown(value: object) -> str:
    """Show a value of the file in one short line, secrets masked."""
    if isinstance(value, str):
        text = redact(value)
        is_long = len(text) > _SHOWN_CHARACTERS_MOST
        return printable(json.dumps(text[:_SHOWN_CHARACTERS_MOST], ensure_ascii=False)) + ("…" if is_long else "")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS_MOST:
        return "a number beyond 64 bits"  # Python refuses to write those that are really long
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return str(value)


def printable(text: str) -> str:
    """Keep what would disturb a terminal away from it: controls, line ends, direction marks, stray bytes."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
