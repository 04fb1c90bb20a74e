"""k-anonymity and l-diversity, as their papers define them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.classes import Classes, Spread, classes_of, equivalence_classes
from pets.disclosure.microdata.codes import Coded, Codes
from pets.disclosure.microdata.frame import Missing, choice, column_name, key_names, open_rows
from pets.errors import InvalidArgument

Diversity = Literal["distinct", "entropy", "recursive"]
SensitiveMissing = Literal["ignore", "value"]
"""Whether a missing sensitive value is left out (it tells nothing and hides nothing), or counted as a value."""


def k_anonymity(frame: object, keys: Sequence[str] | str, *, missing: Missing = "value") -> int:
    """Return the k of k-anonymity: the least number of records that look alike.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    keys
        Columns that an intruder may know.
    missing
        What a missing key value means: ``'value'`` or ``'matches_all'``.

    Raises
    ------
    InvalidArgument, DataError
        The frame, the keys or a column are not usable.

    References
    ----------
    P. Samarati, L. Sweeney, "Protecting privacy when disclosing information: k-anonymity and its enforcement through
    generalization and suppression", SRI-CSL-98-04, 1998, definition 2.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"age": ["0-4", "0-4", "5-9", "5-9"], "sex": ["f", "f", "m", None]})
    >>> k_anonymity(rows, ["age", "sex"]), k_anonymity(rows, ["age", "sex"], missing="matches_all")
    (1, 2)
    """
    return int(equivalence_classes(frame, keys, missing=missing).frequencies.min())


def l_diversity(
    frame: object,
    keys: Sequence[str] | str,
    sensitive: str,
    *,
    kind: Diversity = "distinct",
    c: float | None = None,
    missing: Missing = "value",
    sensitive_missing: SensitiveMissing = "ignore",
) -> float:
    """Return the l of l-diversity of one sensitive column.

    Parameters
    ----------
    frame, keys, missing
        As for :func:`k_anonymity`.
    sensitive
        Column whose value an intruder shall not learn.
    kind
        ``'distinct'``: the least number of distinct values in a class. ``'entropy'``: the exponential of the least
        entropy, a number that need not be whole; a table is entropy l-diverse for every l up to it. ``'recursive'``:
        the largest l for which the table is recursively (c, l)-diverse: in each class the most frequent value occurs
        less than `c` times as often as the l-th most frequent and all rarer ones together.
    c
        For ``'recursive'``.
    sensitive_missing
        ``'ignore'`` (a class in which no value is known then has l = 0) or ``'value'``.

    Returns
    -------
    float
        A whole number unless `kind` is ``'entropy'``. 0 if the table is not even (c, 1)-diverse.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable.

    References
    ----------
    A. Machanavajjhala, D. Kifer, J. Gehrke, M. Venkitasubramaniam, "l-diversity: privacy beyond k-anonymity", ACM
    TKDD 1(1), 2007, definitions 4.1 (entropy) and 4.2 (recursive).
    """
    names, column = key_names(keys), column_name(sensitive, "sensitive")
    refuse_key(column, names)
    choice(kind, "kind", Diversity)
    if (c is not None) != (kind == "recursive"):
        raise InvalidArgument("c", "belongs to recursive diversity", "Give c with kind='recursive', and only there.")
    rows = open_rows(frame, (*names, column))
    return diversity(classes_of(rows, names, missing), rows.code(column), kind, c, sensitive_missing)


def diversity(
    classes: Classes, column: Coded, kind: Diversity, c: float | None = None, missing: SensitiveMissing = "ignore"
) -> float:
    """Return the l of classes that are known already; see :func:`l_diversity`."""
    spread = classes.spread(sensitive_codes(column, missing))
    if kind == "distinct":
        return int(spread.entries.min())
    if kind == "entropy":
        return float(np.exp(_entropies(spread)).min()) if spread.entries.all() else 0.0
    return int(recursive_levels(spread, _positive(c)).min())


def sensitive_codes(column: Coded, missing: SensitiveMissing) -> Codes:
    """Return the codes of a sensitive column; as a value of its own, missing gets the first free code."""
    choice(missing, "sensitive_missing", SensitiveMissing)
    return np.where(column.codes < 0, column.size, column.codes) if missing == "value" else column.codes


def recursive_levels(spread: Spread, c: float) -> Codes:
    """Return for each class the largest l for which it is recursively (c, l)-diverse; 0 if there is none."""
    order = np.lexsort([-spread.counts, spread.of_class])
    counts = spread.counts[order]
    total = spread.total(spread.counts.astype(np.float64))
    upto = np.cumsum(counts)
    before_class = np.concatenate([[0], upto])[spread.starts[:-1]]
    tail = total[spread.of_class] - (upto - counts - before_class[spread.of_class])  # r_j + r_(j+1) + ...
    filled = spread.entries > 0
    most = np.zeros(len(total))
    most[filled] = counts[spread.starts[:-1][filled]]
    reached = most[spread.of_class] < c * tail  # true for l = 1, 2, ... up to some l, then false
    return np.bincount(spread.of_class[reached], minlength=len(total))


def _entropies(spread: Spread) -> NDArray[np.float64]:
    counts = spread.counts.astype(np.float64)
    total = spread.total(counts)
    entropy: NDArray[np.float64] = np.log(total) - spread.total(counts * np.log(counts)) / total
    return entropy


def _positive(c: float | None) -> float:
    if c is None or isinstance(c, bool) or not isinstance(c, int | float | np.number) or not 0 < c < np.inf:
        raise InvalidArgument("c", "must be a positive number")
    return float(c)


def refuse_key(column: str, names: Sequence[str]) -> None:
    """Refuse a sensitive column that is also a key.

    Raises
    ------
    InvalidArgument
        It is.
    """
    if column in names:
        raise InvalidArgument("sensitive", f"{column!r} is also a key", "A column is either known or to be protected.")
