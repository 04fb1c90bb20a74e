"""Reading rows in order to propose a domain. Everything returned here is confidential."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pets.config.paths import hint, printable
from pets.domain.attributes import Attribute
from pets.domain.categorical import Categorical
from pets.domain.dates import Date, date_of, read_step
from pets.domain.labels import LIMIT, MAX_LABELS, Label, as_text, first_repeat, spelling
from pets.domain.numbers import Integer, Numeric
from pets.errors import DataError, InvalidArgument

if TYPE_CHECKING:
    import narwhals as nw

_OWNER = "patient|person|subject|participant|case|record|pat|study|family"
_ID = re.compile(
    rf"(({_OWNER}|registry)?[ _.-]?(id|ident|identifier|uuid|mrn|pid|key)"
    rf"|({_OWNER}|seq)[ _.-]?(no|nr|num|number|seq)"
    r"|patient|rownames|index|unnamed: ?0)",
    re.IGNORECASE,
)
_MAX_DECIMALS = 6
_MOST_DATES = 100_000
_NEARLY_ALL = 0.9

_BOUNDS = "Bounds were rounded outward from the rows: replace them by what the registry's rules allow."
_CATEGORIES = "Categories were read from the rows: replace them by those of the classification, also the ones not seen."
_IN_ORDER = 'What cannot come before what is not guessed: order = [["birth", "diagnosis"]] at the top says it.'
_MISSING = "Missing values occur and are dropped; invalid = 'category' would keep them as a group of their own."


@dataclass(frozen=True)
class Proposal:
    """Attributes guessed from rows, and how."""

    id: str | None
    attributes: dict[str, Attribute] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class _LeaveOut(Exception):
    """Raised with the reason why a column becomes no attribute; never leaves this module."""


def propose(frame: object, id_column: object, max_categories: object) -> Proposal:
    """Return what :meth:`pets.Domain.suggest` proposes for `frame`; see there."""
    if isinstance(max_categories, bool) or not isinstance(max_categories, int) or not 1 <= max_categories <= MAX_LABELS:
        raise InvalidArgument("max_categories", f"must be a whole number between 1 and {MAX_LABELS:,}")
    rows = _as_lazy(frame)
    columns = _names(rows)
    if id_column is not None and not (isinstance(id_column, str) and id_column in columns):
        raise InvalidArgument("id", f"{printable(str(id_column))!r} is no column", hint(id_column, columns))
    found = Proposal(id=id_column if id_column is not None else _guess_id(columns))
    for name in columns:
        if name == found.id:
            continue
        try:
            if _ID.fullmatch(name):
                raise _LeaveOut("looks like an identifier")
            found.attributes[name], found.notes[name] = _attribute(rows, _checked_name(name, found), max_categories)
        except _LeaveOut as reason:
            found.left_out[name] = str(reason)
        except Exception:  # noqa: BLE001
            # Whatever the engine says may quote a row: it must not travel with the error.
            raise DataError(printable(name), "cannot be read", "Convert the column or leave it out.") from None
    return found


def nice_bounds(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """Return round numbers at or beyond `low` and `high`: multiples of 1, 2 or 5 times a power of ten."""
    span = high - low or abs(low) or Fraction(1)
    step = nice_step(span / 5)
    return step * math.floor(low / step), step * math.ceil(high / step)


def nice_step(least: Fraction) -> Fraction:
    """Return the smallest of 1, 2, 5, 10, 20, 50 ... (or 0.5, 0.2 ...) that is at least `least`."""
    power = Fraction(10) ** math.floor(math.log10(least))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power, 20 * power) if step >= least)


def _as_lazy(frame: object) -> nw.LazyFrame[Any]:
    import narwhals as nw

    try:
        return nw.from_native(frame).lazy()  # type: ignore[call-overload, no-any-return]
    except Exception:  # noqa: BLE001  each engine refuses in its own way
        problem = f"must be a data frame with distinct column names, not {type(frame).__name__}"
        raise InvalidArgument(
            "frame", problem, "Give a pandas, Polars, PyArrow, DuckDB, Dask or PySpark frame."
        ) from None


def _names(rows: nw.LazyFrame[Any]) -> list[str]:
    names = list(rows.collect_schema())
    if not all(isinstance(name, str) for name in names):
        raise InvalidArgument("frame", "has a column whose name is not text", "Rename the column.")
    return names


def _guess_id(columns: Sequence[str]) -> str | None:
    candidates = [name for name in columns if _ID.fullmatch(name) and _is_text(name)]
    about_people = [name for name in candidates if re.match("patient|person|subject|participant", name, re.IGNORECASE)]
    return next(iter(about_people + candidates), None)


def _is_text(name: str) -> bool:
    try:
        return bool(as_text(name, "name"))
    except InvalidArgument:
        return False


def _checked_name(name: str, found: Proposal) -> str:
    if not _is_text(name):
        raise _LeaveOut("its name is empty, too long or has control characters")
    if first_repeat([*found.attributes, name]) is not None:
        raise _LeaveOut("its name looks the same as another one")
    return name


def _attribute(rows: nw.LazyFrame[Any], name: str, most: int) -> tuple[Attribute, str]:
    import narwhals as nw

    dtype = rows.collect_schema()[name]
    if dtype == nw.Boolean:
        return Categorical([False, True]), _note(rows, name, "Yes or no.")
    if dtype.is_integer():
        return _whole(rows, name)
    if dtype.is_float() or dtype.is_decimal():
        return _decimal(rows, name)
    if isinstance(dtype, nw.Enum):
        return _texts(rows, name, dtype.categories, "Categories are those of the column's type.")
    if dtype in (nw.String, nw.Categorical):
        dates = _dates_in_texts(rows, name)
        return _texts(rows, name, _distinct(rows, name, most), _CATEGORIES) if dates is None else dates
    if dtype == nw.Date or isinstance(dtype, nw.Datetime):
        return _date(rows, name, [step for step in map(_day, _range(rows, name)) if step is not None], "day", "")
    if dtype.is_temporal():
        raise _LeaveOut("is a time or a duration: derive a whole number from it, such as the days since diagnosis")
    raise _LeaveOut("has values of mixed or unsupported type")


def _whole(rows: nw.LazyFrame[Any], name: str) -> tuple[Attribute, str]:
    low, high = _range(rows, name)
    lower, upper = nice_bounds(Fraction(low), Fraction(high))
    if max(abs(lower), abs(upper)) >= LIMIT:
        raise _LeaveOut("has whole numbers of 2**53 or more")
    return Integer(math.floor(lower), math.ceil(upper)), _note(rows, name, _BOUNDS + _bins_hint(lower, upper))


def _decimal(rows: nw.LazyFrame[Any], name: str) -> tuple[Attribute, str]:
    import narwhals as nw

    numbers = rows.select(nw.col(name).cast(nw.Float64)).drop_nulls()
    numbers = numbers.filter(nw.col(name).is_finite())
    low, high = (Fraction(repr(float(bound))) for bound in _range(numbers, name))
    resolution = _resolution(numbers, name, max(abs(low), abs(high)))
    if resolution == 1:
        attribute, note = _whole(numbers, name)
        return attribute, _note(rows, name, note.replace("\n" + _MISSING, ""))
    lower, upper = nice_bounds(low, high)
    lower, upper = resolution * math.floor(lower / resolution), resolution * math.ceil(upper / resolution)
    if max(abs(lower), abs(upper)) >= LIMIT * resolution or max(resolution.as_integer_ratio()) >= LIMIT:
        raise _LeaveOut("is too large, too small or spans too many orders of magnitude for a fixed-point number")
    note = "The resolution was guessed from the decimals in the rows. A table by this number needs bins."
    return Numeric(lower, upper, resolution=resolution), _note(rows, name, f"{_BOUNDS}\n{note}")


def _resolution(numbers: nw.LazyFrame[Any], name: str, largest: Fraction) -> Fraction:
    """Return the coarsest power of ten, down to a millionth, that holds all values, or a coarse guess."""
    import narwhals as nw

    scaled = {k: nw.col(name) * float(10**k) for k in range(_MAX_DECIMALS + 1)}
    errors = _one_row(numbers.select(*[(x - x.round(0)).abs().max().alias(str(k)) for k, x in scaled.items()]))
    for k in scaled:
        if errors[str(k)] <= float(largest) * 10**k * 2**-50:
            return Fraction(1, 10**k)
    return nice_step(largest / 10_000)


def _texts(rows: nw.LazyFrame[Any], name: str, values: Sequence[str], note: str) -> tuple[Attribute, str]:
    labels: list[Label] = []
    seen: set[str] = set()
    for value in values:
        if _is_text(value) and spelling(value) not in seen:
            seen.add(spelling(value))
            labels.append(value)
    if not labels:
        raise _LeaveOut("has no value that could be a category")
    unusable = (
        ""
        if len(labels) == len(values)
        else "\nSome values cannot be categories: empty, too long, or seen in two spellings."
    )
    return Categorical(labels), _note(rows, name, note + unusable)


def _dates_in_texts(rows: nw.LazyFrame[Any], name: str) -> tuple[Attribute, str] | None:
    """Return a date if nearly all different texts are dates, of the finest period that they all are."""
    import narwhals as nw

    texts = rows.select(nw.col(name).cast(nw.String)).drop_nulls().unique().head(_MOST_DATES)
    values = texts.collect()[name].to_list()
    for period in ("day", "month", "quarter"):  # years alone are whole numbers
        steps = [step for step in (read_step(value, period) for value in values) if step is not None]
        if values and len(steps) >= _NEARLY_ALL * len(values):
            strange = "" if len(steps) == len(values) else "\nSome values are no dates, and are dropped."
            return _date(rows, name, steps, period, strange)
    return None


def _day(value: object) -> int | None:
    return read_step(value, "day")


def _date(rows: nw.LazyFrame[Any], name: str, steps: Sequence[int], period: str, more: str) -> tuple[Attribute, str]:
    """Return a date from the beginning of a round year to the end of another."""
    if not steps:
        raise _LeaveOut("has no values")
    years = [date_of(step, period).year for step in (min(steps), max(steps))]
    low, high = (int(bound) for bound in nice_bounds(Fraction(years[0]), Fraction(years[1] + 1)))
    date = Date(f"{max(low, 1):04d}-01-01", f"{min(high - 1, 9999):04d}-12-31", resolution=period)  # type: ignore[arg-type]
    return date, _note(rows, name, f"{_BOUNDS}\n{_IN_ORDER}{more}")


def _distinct(rows: nw.LazyFrame[Any], name: str, most: int) -> list[str]:
    import narwhals as nw

    texts = rows.select(nw.col(name).cast(nw.String)).drop_nulls().unique().head(most + 1)
    values = texts.collect()[name].to_list()
    if len(values) > most:
        raise _LeaveOut(f"has more than {most} different texts; raise max_categories if they are categories")
    return sorted(values, key=_natural)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key by which '5-9' comes before '10-14'."""
    parts = re.split(r"([0-9]{1,18})", text)
    return [(0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts if part]


def _range(rows: nw.LazyFrame[Any], name: str) -> tuple[Any, Any]:
    import narwhals as nw

    found = _one_row(rows.select(nw.col(name).min().alias("low"), nw.col(name).max().alias("high")))
    if found["low"] is None or found["low"] != found["low"]:
        raise _LeaveOut("has no values")
    return found["low"], found["high"]


def _note(rows: nw.LazyFrame[Any], name: str, text: str) -> str:
    import narwhals as nw

    missing = _one_row(rows.select(nw.col(name).is_null().any().alias("missing")))["missing"]
    return f"{text}\n{_MISSING}" if missing else text


def _bins_hint(lower: Fraction, upper: Fraction) -> str:
    if upper - lower <= 25:
        return ""
    step = nice_step((upper - lower) / 10)
    edges = [int(lower + i * step) for i in range(math.ceil((upper - lower) / step))] + [int(upper)]
    return f"\nFor tables, bins may serve better than single numbers: bins = {edges}"


def _one_row(rows: nw.LazyFrame[Any]) -> dict[str, Any]:
    return {name: values[0] if values else None for name, values in rows.collect().to_dict(as_series=False).items()}
