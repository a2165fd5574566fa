"""Dataclasses that cost next to nothing until they are used, for every start pays for all of them.

The standard library reads the annotations of each class, and writes and compiles up to six methods for it, when its
module is imported: 0.12 s of the 0.37 s that a run took. Of the classes that a run imports most are never made an
instance of, so all of that is done here when a class is first used. What it can do then is the same: ``fields``,
``replace``, ``asdict``, comparing, hashing, printing, pickling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, **others: bool) -> Any:  # noqa: ANN401
        """Make a class a dataclass, as the decorator of that name in the standard library does.

        That one is asked where more is wanted than ``frozen`` (``slots``, ``order``). Raises TypeError for what only
        that one knows: ``ClassVar``, ``InitVar``, and fields that are keywords only or not in ``__init__``.
        """
        if others:
            return dataclasses.dataclass(cls, frozen=frozen, **others)
        return _prepare(cls, frozen) if cls is not None else lambda cls: _prepare(cls, frozen)


def _prepare(cls: type[Any], is_frozen: bool) -> type[Any]:
    _refuse_the_unknown(cls)
    methods = _METHODS_OF_FROZEN if is_frozen else _METHODS
    # A class that defines __eq__ alone has a __hash__ of None that nobody wrote.
    missing = [name for name in methods if cls.__dict__.get(name) is None]
    pending = _Pending(cls, is_frozen, [name for name in missing if methods[name] is None])
    for name in missing:
        setattr(cls, name, methods[name] or _written_later(pending, name))
    if not is_frozen and "__hash__" not in cls.__dict__:
        cls.__hash__ = None  # type: ignore[assignment]
    cls.__dataclass_fields__ = pending
    return cls


def _refuse_the_unknown(cls: type[Any]) -> None:
    fields = [value for value in cls.__dict__.values() if isinstance(value, dataclasses.Field)]
    kinds = cls.__dict__.get("__annotations__", {}).values()  # noqa: RUF063 - inspect would cost more than it saves
    if any(not field.init or field.kw_only is True for field in fields) or any(
        word in str(kind) for kind in kinds for word in _UNKNOWN
    ):
        raise TypeError(f"{cls.__qualname__}: such fields need the dataclass of the standard library")


_UNKNOWN = ("ClassVar", "InitVar", "KW_ONLY")


class _Pending:
    """Stands for the fields of a class that is not finished; whoever asks for them has it finished."""

    def __init__(self, cls: type[Any], is_frozen: bool, names: list[str]) -> None:
        self.cls = cls
        self._is_frozen = is_frozen
        self._names = names

    def __get__(self, instance: object, owner: type[Any]) -> object:
        self.finish()
        return self.cls.__dataclass_fields__

    def finish(self) -> None:
        """Collect the fields and write the methods, unless another thread has done so."""
        cls = self.cls
        with _LOCK:
            if cls.__dict__["__dataclass_fields__"] is not self:
                return
            # Without a docstring the standard library writes the signature there, which takes longer than the rest.
            cls.__doc__ = cls.__doc__ or cls.__name__
            dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
            methods = {"__init__": _init(cls, self._is_frozen), **_comparing(cls)}
            for name in self._names:
                setattr(cls, name, methods[name])


#: Held while a class is finished: done twice it would lose its defaults.
_LOCK = RLock()


def _written_later(pending: _Pending, name: str) -> Callable[..., Any]:
    def finish_and_call(self: object, *args: object, **kwargs: object) -> object:
        pending.finish()
        return pending.cls.__dict__[name](self, *args, **kwargs)

    return finish_and_call


def _init(cls: type[Any], is_frozen: bool) -> Callable[..., None]:
    names: dict[str, Any] = {"_set": object.__setattr__, "_LEFT_OUT": _LEFT_OUT}
    parameters, lines = ["self"], []
    for field in dataclasses.fields(cls):
        name = value = field.name
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"] = field.default_factory
            parameters.append(f"{name}=_LEFT_OUT")
            value = f"_make_{name}() if {name} is _LEFT_OUT else {name}"
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f"_set(self, {name!r}, {value})" if is_frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines or ["pass"])
    exec(f"def __init__({', '.join(parameters)}):\n {body}", names)  # noqa: S102 - names of our own source only
    init: Callable[..., None] = names["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return init


#: Tells an argument that was not given from every value that can be given.
_LEFT_OUT = object()


def _comparing(cls: type[Any]) -> dict[str, Callable[..., Any]]:
    read = _reader([field.name for field in dataclasses.fields(cls) if field.compare])

    def equals(self: object, other: object) -> bool:
        return read(self) == read(other) if other.__class__ is self.__class__ else NotImplemented

    return {"__eq__": equals, "__hash__": lambda self: hash(read(self))}


def _reader(names: list[str]) -> Callable[[object], tuple[object, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


@recursive_repr()
def _repr(self: Any) -> str:  # noqa: ANN401
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


#: The methods of a dataclass; those that stand for None are written when it is finished.
_METHODS: dict[str, Any] = {"__init__": None, "__eq__": None, "__repr__": _repr}
_METHODS_OF_FROZEN = {**_METHODS, "__hash__": None, "__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
