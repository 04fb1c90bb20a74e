"""Singling out, linkability and attribute inference: what an attacker does with artificial rows and some knowledge.

Each attack is run on rows that the model was fitted to and, with the same artificial rows, on rows that it was not. The
difference is what the data of the person have to do with it; the rest is knowledge about people in general.

References
----------
Giomi M, Boenisch F, Wehmeyer C, Tasnádi B (2023). A unified framework for quantifying privacy risk in synthetic data.
PoPETs. Article 29 Working Party (2014). Opinion 05/2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.domain import Categorical
from pets.synthetic.attacks.shadows import Shadows
from pets.synthetic.encoding.columns import Codes

Array = NDArray[np.float64]

_LARGEST_PREDICATE = 6


@dataclass
class Tally:
    """Successes and tries against members and against others."""

    member_hits: int = 0
    member_tries: int = 0
    other_hits: int = 0
    other_tries: int = 0

    def add(self, members: NDArray[np.bool_], others: NDArray[np.bool_]) -> None:
        """Count outcomes."""
        self.member_hits += int(members.sum())
        self.member_tries += members.size
        self.other_hits += int(others.sum())
        self.other_tries += others.size


def singling_out(sample: Codes, members: Codes, others: Codes, tries: int, source: RandomSource) -> Tally:
    """Take combinations of values that one artificial row has alone: does exactly one real row have them?

    Members and others are as many rows, since a combination is alone more easily among fewer.
    """
    size = min(members.shape[1], others.shape[1])
    columns, alone = len(sample), Tally()
    for _ in range(tries):
        axes = _some(columns, 2 + source.bits(16) % max(min(columns, _LARGEST_PREDICATE) - 1, 1), source)
        _, first, counts = np.unique(sample[axes], axis=1, return_index=True, return_counts=True)
        single = first[counts == 1]
        if not len(single):
            continue
        wanted = sample[axes, single[source.bits(32) % len(single)]][:, None]
        found = [(rows[axes][:, :size] == wanted).all(axis=0).sum() == 1 for rows in (members, others)]
        alone.add(np.array([found[0]]), np.array([found[1]]))
    return alone


def linkability(sample: Codes, members: Codes, others: Codes, scale: Array) -> Tally:
    """Know two halves of a person's columns apart: is the nearest artificial row the same one for both?"""
    linked = Tally()
    halves = np.arange(len(sample)) % 2 == 0
    if halves.all():
        return linked
    outcome = []
    for rows in (members, others):
        near = [distances(rows[h], sample[h], scale[h]).argmin(axis=1) for h in (halves, ~halves)]
        outcome.append(near[0] == near[1])
    linked.add(*outcome)
    return linked


def inference(sample: Codes, members: Codes, others: Codes, scale: Array) -> list[Tally]:
    """Know all columns of a person but one: has the nearest artificial row the right value? One tally a column."""
    tallies = [Tally() for _ in range(len(sample))]
    outcome: list[list[NDArray[np.bool_]]] = []
    for rows in (members, others):
        parts = [distances(rows[[i]], sample[[i]], scale[[i]]) for i in range(len(sample))]
        whole = np.sum(parts, axis=0)
        outcome.append([sample[i][(whole - parts[i]).argmin(axis=1)] == rows[i] for i in range(len(sample))])
    for tally, first, second in zip(tallies, *outcome, strict=True):
        tally.add(first, second)
    return tallies


def copies(sample: Codes, members: Codes, others: Codes) -> tuple[Tally, Tally]:
    """How many members come out again whole, and of those that no other row equals? Others by coincidence."""
    every = np.concatenate([sample, members, others], axis=1)
    _, keys = np.unique(every, axis=1, return_inverse=True)
    keys = keys.ravel()
    made = np.bincount(keys[: sample.shape[1]], minlength=int(keys.max()) + 1) > 0
    real = np.bincount(keys[sample.shape[1] :], minlength=int(keys.max()) + 1)
    first, second = np.split(keys[sample.shape[1] :], [members.shape[1]])
    whole, unique = Tally(), Tally()
    whole.add(made[first], made[second])
    unique.add(made[first[real[first] == 1]], made[second[real[second] == 1]])
    return whole, unique


def nearer(sample: Codes, members: Codes, others: Codes, scale: Array) -> tuple[int, int]:
    """Return of how many artificial rows the nearest real row is a member, and of how many there is a nearest one."""
    size = min(members.shape[1], others.shape[1])
    near = [distances(sample, rows[:, :size], scale).min(axis=1) for rows in (members, others)]
    return int((near[0] < near[1]).sum()), int((near[0] != near[1]).sum())


def distances(rows: Codes, sample: Codes, scale: Array) -> Array:
    """Return Gower's distances, shape (rows, sampled rows): 0 or 1 for categories, shares of the range for numbers."""
    found = np.zeros((rows.shape[1], sample.shape[1]), dtype=np.float32)
    for real, made, width in zip(rows, sample, scale, strict=True):
        gap = real[:, None] != made[None, :] if width == 0 else np.abs(real[:, None] - made[None, :]) / width
        found += gap.astype(np.float32)
    return found.astype(np.float64)


def scales(shadows: Shadows) -> Array:
    """Return the range of each number in codes, 0 for categories."""
    return np.array([
        0.0 if isinstance(column.attribute, Categorical) else max(column.size - 1, 1)
        for column in shadows.encoding.columns
    ])  # fmt: skip


def some_rows(rows: Codes, most: int, source: RandomSource) -> Codes:
    """Return at most so many rows, at random."""
    return rows[:, np.argsort(source.words(rows.shape[1], np.uint64), kind="stable")[:most]]


def _some(columns: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    return np.sort(np.argsort(source.words(columns, np.uint64), kind="stable")[: min(size, columns)])
