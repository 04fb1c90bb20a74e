"""Stage of children's cancers: from detailed stage groups to the coarse tier of the Toronto guidelines.

References
----------
Gupta S, Aitken JF, Bartels U, et al. (2016). Paediatric cancer stage in population-based cancer registries: the Toronto
consensus principles and guidelines. Lancet Oncology 17(4):e163-e172.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pets.epi.iccc import code_ranges, code_texts, icdo3_numbers, object_array
from pets.errors import InvalidArgument

TIERS: Final = (
    "localised", "locoregional", "regional", "metastatic", "MS", "limited", "advanced", "CNS negative", "CNS positive",
    "I", "II", "III", "IV",
)  # fmt: skip
"""Every category of tier 1. A cancer uses two to four of them; I to IV are the Ann Arbor stages of Hodgkin lymphoma."""

REASONS: Final = ("schema", "stage")
"""Why a tumour has no tier: its cancer has no Toronto stage, or the schema does not know the stage group."""

_ALL_AGES: Final = 999


@dataclass(frozen=True, eq=False)
class Staged:
    """Coarse stages of some tumours.

    Attributes
    ----------
    tier
        One of :data:`TIERS` for each tumour, object array of shape (n,); ``None`` where there is none.
    reason
        Why there is none, one of :data:`REASONS`; ``None`` elsewhere, and where the registry itself says that the stage
        is not known (X) or does not apply (N/A).
    unmapped
        How often each pair of schema and stage had a reason, most frequent first: for those who keep the data.
    """

    tier: NDArray[np.object_]
    reason: NDArray[np.object_]
    unmapped: tuple[tuple[tuple[str, str], int], ...]

    def __repr__(self) -> str:
        failed = sum(reason is not None for reason in self.reason)
        return f"<Staged: {len(self.tier):,} tumours, {failed:,} with a code that is not known; see .tier, .unmapped>"


def toronto_tier(stage: Iterable[object], schema: Iterable[object]) -> Staged:
    """Return the tier 1 category of each tumour.

    Parameters
    ----------
    stage
        Toronto stage groups, as the NAACCR item ``torontoStageGroup`` (1149) has them: ``'L2'``, ``'M0'``, ``'y3'``;
        n of them.
    schema
        Which cancer each is, as the item ``pediatricId`` (1132) has it: ``'4a'``; see :func:`toronto_schema`.

    Raises
    ------
    InvalidArgument
        The columns differ in length, or one of them is no column of codes.

    Notes
    -----
    Blasts in the cerebrospinal fluid make a leukaemia CNS positive, so CNS2 is. Ann Arbor stages lose the letter for
    B symptoms.

    Examples
    --------
    >>> toronto_tier(["L2", "y3", "30"], ["4a", "6a1", "1a1"]).tier.tolist()
    ['locoregional', 'localised', 'CNS positive']
    """
    stages, schemas = code_texts(stage, "stage"), code_texts(schema, "schema")
    if len(stages) != len(schemas):
        raise InvalidArgument("schema", f"has {len(schemas)} codes, and stage {len(stages)}")
    pairs = list(zip(schemas, stages, strict=True))
    known = {pair: _tier(*pair) for pair in set(pairs)}
    failed = Counter(pair for pair in pairs if known[pair][1] is not None)
    ordered = sorted(failed.items(), key=lambda item: (-item[1], item[0]))
    found = [known[pair] for pair in pairs]
    return Staged(object_array(tier for tier, _ in found), object_array(why for _, why in found), tuple(ordered))


def toronto_schema(
    topography: Iterable[object],
    morphology: Iterable[object],
    behaviour: Iterable[object] | None = None,
    *,
    age: Iterable[int | float | None],
) -> NDArray[np.object_]:
    """Return which Toronto schema each tumour is staged by, as in the NAACCR item ``pediatricId``.

    Parameters
    ----------
    topography, morphology, behaviour
        ICD-O-3 codes as for :meth:`pets.epi.ICCC3.classify`, n of them.
    age
        Completed years at diagnosis; ``None`` or NaN where they are not known. Most schemas end at 39.

    Returns
    -------
    numpy.ndarray
        ``'4a'`` and the like, objects of shape (n,); ``None`` where there is no Toronto stage.

    Raises
    ------
    InvalidArgument
        The columns differ in length, or one of them is no column of codes.

    Examples
    --------
    >>> toronto_schema(["C74.9", "C22.0"], ["9500/3", "8170/3"], age=[1, 12]).tolist()
    ['4a', None]
    """
    sites, forms = code_texts(topography, "topography"), code_texts(morphology, "morphology")
    fates = [""] * len(forms) if behaviour is None else code_texts(behaviour, "behaviour")
    years = [_ALL_AGES if value is None or value != value else int(value) for value in age]  # noqa: PLR0124 NaN
    for name, column in (("morphology", forms), ("behaviour", fates), ("age", years)):
        if len(column) != len(sites):
            raise InvalidArgument(name, f"has {len(column)} values, and topography {len(sites)}")
    rows = list(zip(sites, forms, fates, years, strict=True))
    known = {row: _schema(*row) for row in set(rows)}
    return object_array(known[row] for row in rows)


def _tier(schema: str, stage: str) -> tuple[str | None, str | None]:
    stages = _stages().get(schema)
    if stage == "":
        return None, None
    if stages is None:
        return (None, None) if stage in ("N/A", "X") else (None, "schema")
    if stage not in stages:
        return (None, None) if stage in ("N/A", "X", "90") else (None, "stage")
    return stages[stage] or None, None


def _schema(topography: str, morphology: str, behaviour: str, age: int) -> str | None:
    read = icdo3_numbers(topography, morphology, behaviour)
    if isinstance(read, str):
        return None
    for schema, places in _schemas():
        if all(value in allowed for value, allowed in zip((*read, age), places, strict=True)):
            return schema
    return None


@cache
def _stages() -> Mapping[str, Mapping[str, str]]:
    """Return the tier of each stage, in capitals as :func:`code_texts` gives them, by schema."""
    found: dict[str, dict[str, str]] = {}
    for row in _rows("toronto_stages.csv"):
        found.setdefault(row["pediatric_id"].upper(), {})[row["stage"].upper()] = row["tier"]
    return found


@cache
def _schemas() -> tuple[tuple[str, tuple[frozenset[int], ...]], ...]:
    names = ("topography", "morphology", "behaviour", "ages")
    return tuple(
        (row["pediatric_id"], tuple(frozenset(code_ranges(row[name].replace("C", ""))) for name in names))
        for row in _rows("toronto_schemas.csv")
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("pets.epi.harmonise") / "data" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
