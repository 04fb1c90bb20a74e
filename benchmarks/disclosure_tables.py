"""Seeded registry-like tables that the disclosure benchmarks share: the shapes of the study, none of its numbers.

Persons are drawn from published-looking marginals of childhood cancer (12 ICCC-3 groups, 47 subgroups, age given the
group) and spread over 16 districts in 4 regions, two sexes and five years; a table counts them over some of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.relations import Relations
from pets.disclosure.table import Table

# Persons in 3,000, by ICCC-3 subgroup.
_SUBGROUPS = {
    "I": (723, 141, 12, 17, 15),
    "II": (123, 115, 72, 4, 20),
    "III": (78, 318, 155, 88, 37, 45),
    "IV": (210, 6),
    "V": (74,),
    "VI": (166, 6, 4),
    "VII": (33, 14, 1),
    "VIII": (55, 6, 53, 4, 5),
    "IX": (98, 15, 2, 52, 23),
    "X": (12, 27, 27, 8, 7),
    "XI": (5, 33, 9, 30, 11, 26),
    "XII": (13, 2),
}
# Persons by age 0, 1-4, 5-9, 10-14.
_AGES = {
    "I": (61, 395, 248, 204),
    "II": (6, 60, 120, 148),
    "III": (58, 198, 251, 214),
    "IV": (83, 102, 21, 10),
    "V": (41, 33, 0, 0),
    "VI": (20, 110, 38, 8),
    "VII": (12, 28, 3, 5),
    "VIII": (1, 11, 39, 72),
    "IX": (26, 62, 45, 57),
    "X": (16, 19, 12, 34),
    "XI": (4, 16, 26, 68),
    "XII": (1, 6, 3, 5),
}
_DISTRICTS = (174, 315, 152, 235, 259, 337, 226, 125, 261, 159, 84, 195, 29, 139, 55, 255)

Tree = tuple[tuple[int, ...], ...]  # children of each node; node 0 is the total, leaves have none


@dataclass(frozen=True)
class Dimension:
    """One variable: its nodes (0 is the total), their children, and which leaf each person falls into."""

    labels: tuple[str, ...]
    children: Tree

    @property
    def leaves(self) -> list[int]:
        return [node for node, below in enumerate(self.children) if not below]


@dataclass(frozen=True)
class Plain:
    """A table as plain arrays: cells in row-major order of the nodes, one relation for each parent."""

    values: NDArray[np.int64]
    relations: list[tuple[list[int], list[int]]]
    codes: tuple[NDArray[np.str_], ...]


def flat(prefix: str, size: int) -> Dimension:
    """A total and `size` categories below it."""
    return Dimension(("T", *(f"{prefix}{i + 1}" for i in range(size))), (tuple(range(1, size + 1)), *((),) * size))


def nested(prefix: str, sizes: tuple[int, ...]) -> Dimension:
    """A total, groups, and `sizes[g]` subgroups below each group (none where a group has only one)."""
    labels, children = ["T"], [[]]
    for group, size in enumerate(sizes):
        labels.append(f"{prefix}{group + 1}")
        children[0].append(len(children))
        parent = len(children)
        children.append([])
        for sub in range(size if size > 1 else 0):
            children[parent].append(len(children))
            labels.append(f"{prefix}{group + 1}.{sub + 1}")
            children.append([])
    return Dimension(tuple(labels), tuple(tuple(below) for below in children))


def cross(dimensions: list[Dimension], leaf_counts: NDArray[np.int64]) -> Plain:
    """Return the table with every margin of `leaf_counts` (one axis a dimension, leaves in node order)."""
    full = leaf_counts
    for axis, dimension in enumerate(dimensions):
        full = np.moveaxis(_with_nodes(dimension, np.moveaxis(full, axis, 0)), 0, axis)
    shape = full.shape
    relations = []
    for axis, dimension in enumerate(dimensions):
        others = [range(size) for k, size in enumerate(shape) if k != axis]
        for parent, below in enumerate(dimension.children):
            for rest in product(*others) if below else ():
                place = [np.ravel_multi_index((*rest[:axis], node, *rest[axis:]), shape) for node in (parent, *below)]
                relations.append(([int(cell) for cell in place], [-1] + [1] * len(below)))
    grid = np.indices(shape).reshape(len(shape), -1)
    codes = tuple(np.array(d.labels)[grid[k]] for k, d in enumerate(dimensions))
    return Plain(full.ravel(), relations, codes)


def _with_nodes(dimension: Dimension, leaf_counts: NDArray[np.int64]) -> NDArray[np.int64]:
    full = np.zeros((len(dimension.children), *leaf_counts.shape[1:]), dtype=np.int64)
    full[dimension.leaves] = leaf_counts
    for node in reversed(range(len(dimension.children))):
        for child in dimension.children[node]:
            full[node] += full[child]
    return full


REGISTRY = {
    "site12": nested("S", (1,) * 12),
    "site47": nested("S", tuple(len(part) for part in _SUBGROUPS.values())),
    "age4": flat("A", 4),
    "sex2": flat("X", 2),
    "reg4": nested("R", (1,) * 4),
    "reg16": nested("R", (4,) * 4),
    "year5": flat("Y", 5),
}


def registry(names: list[str], persons: int, seed: int = 0) -> Plain:
    """Return the table of `persons` made-up patients over the named variables, e.g. ``['site12', 'reg16']``."""
    rng = np.random.default_rng(seed)
    sizes = np.array([size for part in _SUBGROUPS.values() for size in part], dtype=float)
    group_of = np.repeat(np.arange(12), [len(part) for part in _SUBGROUPS.values()])
    site = rng.choice(len(sizes), persons, p=sizes / sizes.sum())
    ages = np.array(list(_AGES.values()), dtype=float) + 0.2
    cumulative = np.cumsum(ages / ages.sum(1, keepdims=True), axis=1)
    age = (rng.random(persons)[:, None] > cumulative[group_of[site]]).sum(1).clip(max=3)
    district = rng.choice(16, persons, p=np.array(_DISTRICTS) / sum(_DISTRICTS))
    leaf = {
        "site12": group_of[site],
        "site47": site,
        "age4": age,
        "sex2": (rng.random(persons) < 0.45).astype(int),
        "reg4": district // 4,
        "reg16": district,
        "year5": rng.integers(0, 5, persons),
    }
    shape = tuple(len(REGISTRY[name].leaves) for name in names)
    counts = np.zeros(shape, dtype=np.int64)
    np.add.at(counts, tuple(leaf[name] for name in names), 1)
    return cross([REGISTRY[name] for name in names], counts)


def to_table(plain: Plain, minimum: int = 5) -> Table:
    """Return the library's table: counts of 1 and more below `minimum` are sensitive (levels 30 %)."""
    values = plain.values.astype(float)
    primary = (values > 0) & (values < minimum)
    level = np.where(primary, np.maximum(1.0, 0.3 * values), 0.0)
    return Table(
        values,
        Relations.from_rows([(cells, signs, 0.0) for cells, signs in plain.relations]),
        primary=primary,
        frozen=values == 0,
        lower_protection=level,
        upper_protection=level,
        sliding_protection=np.zeros(len(values)),
        dimensions=tuple(f"d{k}" for k in range(len(plain.codes))),
        codes=plain.codes,
        primary_range=(1, minimum - 1),
    )


def two_way(rows: int, columns: int, persons: int, seed: int = 0) -> Plain:
    """Return a random two-way table with skewed margins."""
    rng = np.random.default_rng(seed)
    mean = np.outer(rng.lognormal(0, 0.7, rows), rng.lognormal(0, 0.7, columns))
    return cross([flat("r", rows), flat("c", columns)], rng.poisson(mean * persons / mean.sum()))


STUDY: dict[str, tuple[list[str], int]] = {
    "2-D 12x16, N 3,000": (["site12", "reg16"], 3_000),
    "2-D 47x16, N 20,000": (["site47", "reg16"], 20_000),
    "2-D 47x16, N 3,000": (["site47", "reg16"], 3_000),
    "3-D 12x4x4, N 20,000": (["site12", "age4", "reg4"], 20_000),
    "3-D 12x4x4, N 3,000": (["site12", "age4", "reg4"], 3_000),
    "3-D 12x4x16, N 20,000": (["site12", "age4", "reg16"], 20_000),
    "4-D 12x4x2x4, N 20,000": (["site12", "age4", "sex2", "reg4"], 20_000),
    "4-D 12x4x2x4, N 3,000": (["site12", "age4", "sex2", "reg4"], 3_000),
    "4-D with 5 years": (["site12", "age4", "sex2", "year5"], 3_000),
    "3-D 47x4x16, N 20,000": (["site47", "age4", "reg16"], 20_000),
    "3-D 47x4x16, N 3,000": (["site47", "age4", "reg16"], 3_000),
    "5-D 12x4x2x4x5": (["site12", "age4", "sex2", "reg4", "year5"], 20_000),
}


def study(name: str, seed: int = 0) -> Plain:
    """Return a table of the study's shape by its name in `STUDY`."""
    names, persons = STUDY[name]
    return registry(names, persons, seed)
