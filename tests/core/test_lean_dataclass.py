"""A lean dataclass does what one of the standard library does; only when its methods are written differs."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, field, fields, replace
from typing import Any, ClassVar

import pytest

from safe_lightning.core.lean_dataclass import dataclass

ROWS: list[int] = [1]


@dataclass(frozen=True)
class Lean:
    """A value."""

    table: str
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    seen: int = field(default=0, compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Plain:
    """The same value, by the standard library."""

    table: str
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    seen: int = field(default=0, compare=False, repr=False)


@dataclass
class Counter:
    """A value that may change."""

    count: int = 0

    def __post_init__(self) -> None:
        self.count += 1


@dataclass(frozen=True)
class OneField:
    """A value of one part."""

    part: object


@dataclass(frozen=True)
class Own:
    """A value with methods of its own."""

    name: str

    def __repr__(self) -> str:
        return "own"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and other.name.lower() == self.name.lower()


ACTS: dict[str, Callable[[Any], object]] = {
    "positions": lambda cls: vars(cls("t", 2, ["n"], 3)),
    "defaults": lambda cls: vars(cls("t")),
    "keywords": lambda cls: vars(cls(rows=5, table="t")),
    "each with a list of its own": lambda cls: cls("t").notes is cls("t").notes,
    "equal": lambda cls: cls("t", 1) == cls("t", 1),
    "equal but for what is not compared": lambda cls: cls("t", seen=1) == cls("t", seen=2),
    "not equal": lambda cls: cls("t", 1) == cls("t", 2),
    "not equal to something else": lambda cls: cls("t") == ("t", 0, [], 0),
    "names of its fields": lambda cls: [part.name for part in fields(cls)],
    "replace": lambda cls: vars(replace(cls("t", 1), rows=2)),
    "as a dictionary": lambda cls: asdict(cls("t")),
    "printed": lambda cls: repr(cls("t", 1)).removeprefix(cls.__name__),
    "copied": lambda cls: copy.deepcopy(cls("t", 1)) == cls("t", 1),
    "pickled": lambda cls: pickle.loads(pickle.dumps(cls("t", 1))) == cls("t", 1),
    "matched": lambda cls: (cls("t"), cls.__match_args__)[1],
    "signature once written": lambda cls: (cls("t"), [*inspect.signature(cls).parameters])[1],
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_does_what_the_standard_library_does(act: Callable[[Any], object]) -> None:
    assert act(Lean) == act(Plain)


MISTAKES: dict[str, Callable[[Any], object]] = {
    "a field is missing": lambda cls: cls(),
    "a field too many": lambda cls: cls("t", 1, [], 2, 3),
    "a field nobody knows": lambda cls: cls("t", row=1),
    "setting": lambda cls: setattr(cls("t"), "rows", 1),
    "setting what is no field": lambda cls: setattr(cls("t"), "other", 1),
    "deleting": lambda cls: delattr(cls("t"), "rows"),
    "hashing a list": lambda cls: hash(cls("t")),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_refuses_what_the_standard_library_refuses(mistake: Callable[[Any], object]) -> None:
    raised = []
    for cls in (Lean, Plain):
        with pytest.raises((TypeError, dataclasses.FrozenInstanceError)) as caught:
            mistake(cls)
        raised.append((caught.type, str(caught.value).removeprefix(f"{cls.__name__}.")))
    assert raised[0] == raised[1]


def test_hashes_by_what_is_compared() -> None:
    assert hash(OneField("a")) == hash(OneField("a"))
    assert len({OneField("a"), OneField("a"), OneField("b")}) == 2


def test_one_field_compares_like_a_tuple_of_one() -> None:
    not_a_number = float("nan")
    assert OneField(not_a_number) == OneField(not_a_number)


def test_a_value_that_may_change_has_no_hash_and_is_finished_by_its_class() -> None:
    counter = Counter(1)
    counter.count += 1
    assert counter == Counter(2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_methods_of_the_class_are_kept() -> None:
    assert repr(Own("A")) == "own"
    assert Own("A") == Own("a")


def test_a_value_that_holds_itself_is_printed() -> None:
    loop = OneField([])
    loop.part.append(loop)  # type: ignore[attr-defined]
    assert repr(loop) == "OneField(part=[...])"


class _WithClassVariable:
    shared: ClassVar[int] = 0
    own: int = 1


class _WithHiddenField:
    hidden: int = field(default=1, init=False)


class _WithKeywordOnly:
    named: int = field(kw_only=True)


@pytest.mark.parametrize("cls", [_WithClassVariable, _WithHiddenField, _WithKeywordOnly])
def test_refuses_at_once_what_it_does_not_know(cls: type) -> None:
    with pytest.raises(TypeError, match="need the dataclass of the standard library"):
        dataclass(cls)


@dataclass
class Base:
    """A value that others build on."""

    name: str
    notes: list[str] = field(default_factory=list)


class Derived(Base):
    """A class of the ordinary kind, with its own way to be made."""

    def __init__(self, name: str) -> None:
        super().__init__(name.upper())


def test_a_class_that_builds_on_one_may_be_made_first() -> None:
    assert (Derived("a").name, Derived("a").notes, Base("a").notes) == ("A", [], [])


UNUSED = """
import builtins, pickle, sys, threading
from dataclasses import field, fields
written = []
real = builtins.exec
builtins.exec = lambda text, *rest: (written.append(text), real(text, *rest))[1]
from safe_lightning.core.lean_dataclass import dataclass
class Value:
    "A value."
    part: int
    more: list = field(default_factory=list)
del written[:]
Value = dataclass(frozen=True)(Value)
before = len(written)
{use}
print(before, len(written))
"""
USES = {
    "made": "Value(1); Value(2)",
    "only its fields": "assert [part.name for part in fields(Value)] == ['part', 'more']; Value(1)",
    "compared before one was made": "a, b = (object.__new__(Value) for _ in 'ab')\n"
    "for value in (a, b): value.__dict__.update(part=1, more=2)\n"
    "assert a == b and hash(a) == hash(b) and repr(a) == 'Value(part=1, more=2)'",
    "made by many threads at once": "made = []\nsys.setswitchinterval(1e-6)\n"
    "threads = [threading.Thread(target=lambda: made.append(Value(1))) for _ in range(20)]\n"
    "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
    "assert made == [Value(1, [])] * 20",
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_class_is_finished_once_and_when_it_is_used(use: str) -> None:
    code = UNUSED.replace("{use}", use)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["0", "1"], told.stderr
