"""What a key may hold, kind by kind: how it is read, written, described, and told to an editor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.policy.model import DROP_PHRASE
from safe_lightning.policy.problem import shown
from safe_lightning.policy.units import (
    DURATION_PATTERN,
    PERCENT_PATTERN,
    SIZE_PATTERN,
    read_duration,
    read_percent,
    read_size,
    write_duration,
    write_percent,
    write_size,
)

Rules = Mapping[str, Any]

#: A year; libraries refuse or overflow far beyond it.
_DURATION_MOST_SECONDS = 365 * 86400.0
_SIZE_MOST_BYTES = 1 << 50
_NUMBER_MOST = 1_000_000_000


class BadValue(Exception):
    """A value is not allowed; the text says what is. ``options`` are the words that are, where they are few."""

    def __init__(self, allowed: str, options: tuple[str, ...] = ()) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.options = options


@dataclass(frozen=True)
class Kind:
    """How one kind of value is treated.

    ``read`` turns what TOML holds into the model's value and raises BadValue; ``write`` is its inverse;
    ``allowed`` describes and ``schema`` tells an editor what may stand there. With ``is_list`` all four are about one
    element, and ``least_elements`` about the list.
    """

    read: Callable[[object, Rules], object]
    allowed: Callable[[Rules], str]
    schema: Callable[[Rules], dict[str, Any]]
    write: Callable[[Any], object] = lambda value: value
    is_list: bool = False
    least_elements: int = 0


def _read_flag(value: object, rules: Rules) -> object:
    if isinstance(value, bool):
        return value
    raise BadValue("true or false")


def _read_number(value: object, rules: Rules) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return _within(value, _allowed_number(rules), rules, _NUMBER_MOST)
    raise BadValue(_allowed_number(rules))


def _within(value: Any, allowed: str, rules: Rules, most: float) -> Any:  # noqa: ANN401 - any number
    if rules.get("least", 0) <= value <= rules.get("most", most):
        return value
    raise BadValue(allowed)


def _allowed_number(rules: Rules) -> str:
    least, most = rules.get("least", 0), rules.get("most", _NUMBER_MOST)
    return str(least) if least == most else f"a whole number from {least} to {most}"


def _number_schema(rules: Rules) -> dict[str, Any]:
    return {"type": "integer", "minimum": rules.get("least", 0), "maximum": rules.get("most", _NUMBER_MOST)}


def _read_confidence(value: object, rules: Rules) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise BadValue(_CONFIDENCE)


_CONFIDENCE = "a number from 0 to 1"


def _read_text(value: object, rules: Rules) -> object:
    if isinstance(value, str) and value.isprintable():
        return value
    raise BadValue("a text on one line")


def _place(allowed: str, *, is_list: bool = False) -> Kind:
    """Describe a path, a program's name or an argument: any text that the system can take."""

    def read(value: object, rules: Rules) -> object:
        if isinstance(value, str) and "\0" not in value:
            return value
        raise BadValue(allowed)

    return Kind(read, lambda _: allowed, lambda _: {"type": "string"}, is_list=is_list, least_elements=int(is_list))


def _read_choice(value: object, rules: Rules) -> object:
    if value in rules["choices"] and isinstance(value, str):
        return value
    raise BadValue(_words(rules["choices"]), tuple(rules["choices"]))


def _words(words: tuple[str, ...]) -> str:
    *most, last = [shown(word) for word in words]
    return f"{', '.join(most)} or {last}" if most else last


def _read_unit(
    value: object, rules: Rules, read: Callable[[str], float], write: Callable[[Any], str], most: float, sample: str
) -> object:
    allowed = _allowed_unit(rules, write, most, sample)
    try:
        amount = read(value) if isinstance(value, str) else None
    except ValueError:
        amount = None
    if amount is None:
        raise BadValue(allowed)
    return _within(amount, allowed, rules, most)


def _allowed_unit(rules: Rules, write: Callable[[Any], str], most: float, sample: str) -> str:
    return f"{sample}, from {write(rules.get('least', 0))} to {write(rules.get('most', most))}"


def _pattern_schema(pattern: str) -> Callable[[Rules], dict[str, Any]]:
    def schema(rules: Rules) -> dict[str, Any]:
        beyond_zero = "(?=.*[1-9])" if rules.get("least", 0) > 0 else ""
        return {"type": "string", "pattern": f"^{beyond_zero}{pattern}$"}

    return schema


def _unit(read: Callable[[str], float], write: Callable[[Any], str], pattern: str, most: float, sample: str) -> Kind:
    return Kind(
        lambda value, rules: _read_unit(value, rules, read, write, most, sample),
        lambda rules: _allowed_unit(rules, write, most, sample),
        _pattern_schema(pattern),
        write,
    )


def _read_pattern(value: object, rules: Rules) -> object:
    from safe_lightning.core.tablefilter import FilterError, parse_filter

    if not isinstance(value, str) or not value:
        raise BadValue(_PATTERN)
    try:
        chosen = parse_filter([value])
    except FilterError as error:
        raise BadValue(f"{_PATTERN} ({error})") from error
    if not chosen.rules:  # blanks or a comment
        raise BadValue(_PATTERN)
    return value


_PATTERN = 'filter patterns as Lightning takes them, such as "app.*" or "!app.tmp_*"'


def _list_of_words(words: tuple[str, ...]) -> Kind:
    rules = {"choices": words}
    return Kind(
        lambda value, _: _read_choice(value, rules),
        lambda _: _words(words),
        lambda _: {"enum": list(words)},
        is_list=True,
    )


KINDS: Mapping[str, Kind] = {
    "flag": Kind(_read_flag, lambda _: "true or false", lambda _: {"type": "boolean"}),
    "number": Kind(_read_number, _allowed_number, _number_schema),
    "confidence": Kind(
        _read_confidence, lambda _: _CONFIDENCE, lambda _: {"type": "number", "minimum": 0, "maximum": 1}
    ),
    "text": Kind(_read_text, lambda _: "a text on one line", lambda _: {"type": "string"}),
    "path": _place("a path as text"),
    "executable": _place("a path, or a name that is looked up on PATH"),
    "choice": Kind(
        _read_choice, lambda rules: _words(rules["choices"]), lambda rules: {"enum": list(rules["choices"])}
    ),
    "duration": _unit(
        read_duration, write_duration, DURATION_PATTERN, _DURATION_MOST_SECONDS, 'a duration such as "90s" or "1h30m"'
    ),
    "size": _unit(read_size, write_size, SIZE_PATTERN, _SIZE_MOST_BYTES, 'a size such as "512MiB" or "1GiB"'),
    "percent": _unit(read_percent, write_percent, PERCENT_PATTERN, 100.0, 'a share such as "5%"'),
    "command": _place("texts: an executable and its arguments", is_list=True),
    "patterns": Kind(
        _read_pattern,
        lambda _: _PATTERN,
        lambda _: {"type": "string", "minLength": 1},
        is_list=True,
        least_elements=1,
    ),
    "phrases": _list_of_words((DROP_PHRASE,)),
    "outcomes": _list_of_words(tuple(str(outcome) for outcome in Outcome)),
}


def write_value(kind: str, value: Any) -> object:  # noqa: ANN401 - whatever the model holds
    """Return a model's value as the file writes it."""
    known = KINDS.get(kind)
    if known is None:
        return dict(value)
    return [known.write(item) for item in value] if known.is_list else known.write(value)
