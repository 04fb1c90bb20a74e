"""What the planner found: levels, the recoded table, the mapping, and what is lost."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.config import write_atomic
from pets.disclosure.grids import grid_table, with_margins
from pets.disclosure.recoding.lattice import Lattice, Node

if TYPE_CHECKING:
    import pandas as pd

    from pets.disclosure.table import Table


@dataclass(frozen=True, eq=False)
class Choice:
    """One combination of levels.

    Attributes
    ----------
    node
        Level of each dimension, by number.
    loss
        Bits lost per patient.
    hidden
        Which inner cells of its table are hidden, if suppression was weighed in.
    """

    node: Node
    loss: float
    hidden: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class RecodingPlan:
    """The recoding of least loss.

    Attributes
    ----------
    lattice
        The fine table and its levels. Confidential.
    choice
        What was chosen.
    alternatives
        The next best, none of which merely coarsens a better one (without suppression).
    told
        Bits that the fine table tells of a patient: the most that can be lost.
    names
        Of the dimensions.
    hiding_only
        What hiding in the table as it is would lose, if suppression was weighed in and is possible there.
    """

    lattice: Lattice
    choice: Choice
    alternatives: tuple[Choice, ...]
    told: float
    names: tuple[str, ...]
    hiding_only: Choice | None = None

    @property
    def levels(self) -> dict[str, str]:
        """The level of each dimension; ``'as is'`` unchanged, ``'*'`` dropped."""
        return self.levels_of(self.choice)

    def levels_of(self, choice: Choice) -> dict[str, str]:
        """Return the level of each dimension in an alternative."""
        return {
            ladder.name: ladder.names[level] for ladder, level in zip(self.lattice.ladders, choice.node, strict=True)
        }

    @property
    def loss(self) -> float:
        """Bits lost per patient, recoding and hiding together."""
        return self.choice.loss

    @property
    def share(self) -> float:
        """Share of the fine table's information that is lost, from 0 to 1."""
        return self.choice.loss / self.told if self.told else 0.0

    @property
    def merged(self) -> dict[str, tuple[int, int]]:
        """Number of categories of each dimension before and after."""
        return {
            ladder.name: (len(ladder.leaves), len(ladder.groups[level]))
            for ladder, level in zip(self.lattice.ladders, self.choice.node, strict=True)
        }

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The recoded counts, one axis for each dimension, hidden cells as 0; see `hidden`."""
        return np.where(self.hidden, 0, self.lattice.recoded(self.choice.node))

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Which recoded cells are hidden, of the shape of `counts`."""
        if self.choice.hidden is None:
            return np.zeros(self.lattice.recoded(self.choice.node).shape, dtype=np.bool_)
        return self.choice.hidden

    def table(self) -> Table:
        """Return the recoded table with all margins, small cells marked as primaries. It holds true counts."""
        counts = self.lattice.recoded(self.choice.node)
        small = self.lattice.small(with_margins(counts))
        return grid_table(counts, self.names, self._labels(), small, self.lattice.small_range)

    def mapping(self) -> dict[str, dict[str, str]]:
        """Return for each dimension the group of each category."""
        pairs = zip(self.lattice.ladders, self.choice.node, strict=True)
        return {ladder.name: ladder.mapping(level) for ladder, level in pairs}

    def write_mapping(self, path: str | Path) -> None:
        """Write the mapping as CSV with the columns dimension, level, category, group."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("dimension", "level", "category", "group"))
        levels = self.levels
        for name, groups in self.mapping().items():
            writer.writerows((name, levels[name], leaf, group) for leaf, group in groups.items())
        write_atomic(path, text.getvalue())

    def to_frame(self) -> pd.DataFrame:
        """Return the recoded table without margins, one line for each cell; hidden counts are missing."""
        import pandas as pd

        grid = np.meshgrid(*(np.array(labels, dtype=object) for labels in self._labels()), indexing="ij")
        columns: dict[str, Any] = {name: codes.reshape(-1) for name, codes in zip(self.names, grid, strict=True)}
        counts = pd.array(self.counts.reshape(-1).tolist(), dtype="Int64")
        counts[self.hidden.reshape(-1)] = pd.NA
        return pd.DataFrame(columns | {"count": counts})

    def explain(self) -> tuple[str, ...]:
        """Return in plain words what is merged, what is left and what is lost."""
        lines = []
        for name, (before, after) in self.merged.items():
            if after < before:
                how = "is dropped" if after == 1 else f"is collapsed to {self.levels[name]!r}"
                lines.append(f"{name} {how}: {before} categories become {after}.")
        if not lines:
            lines.append("Nothing is merged.")
        fine, left = self.lattice.counts.size, self.counts.size
        lines.append(f"{fine:,} cells become {left:,}, of which {int(self.hidden.sum()):,} are hidden.")
        lines.append(f"Of the {self.told:.2f} bits that the fine table tells of a patient, {self.loss:.2f} are lost.")
        if self.hiding_only is not None:
            lines.append(f"Hiding cells of the fine table instead would lose {self.hiding_only.loss:.2f}.")
        return tuple(lines)

    def _labels(self) -> list[tuple[str, ...]]:
        return [ladder.groups[level] for ladder, level in zip(self.lattice.ladders, self.choice.node, strict=True)]

    def __repr__(self) -> str:
        levels = ", ".join(f"{name}: {level}" for name, level in self.levels.items())
        return f"<RecodingPlan {levels}; {100 * self.share:.1f} % of the information is lost>"

    def _repr_html_(self) -> str:
        points = "".join(f"<li>{escape(line)}</li>" for line in self.explain())
        return f"<ul>{points}</ul>{self.to_frame().to_html(index=False, max_rows=30)}"
