"""How far a published value will be from the truth, known before any row is read."""

from __future__ import annotations

from dataclasses import dataclass

from pets.noise import NoiseLaw, half_width, probability_not_positive
from pets.query import BoundQuery


@dataclass(frozen=True)
class ErrorModel:
    """What a technique does to the accuracy of a query, as exact laws.

    Parameters
    ----------
    query
        The question.
    laws
        Law of the error of each cell, one per block of the tally, in integer units of the block.
    hides
        Inclusive range of counts that are not published at all, or ``None``.
    complementary
        Whether further cells are hidden, depending on the data, so that those do not follow by subtraction.
    """

    query: BoundQuery
    laws: tuple[NoiseLaw, ...]
    hides: tuple[int, int] | None = None
    complementary: bool = False

    @property
    def bound_only(self) -> bool:
        """Whether the laws are bounds: the error depends on the table, and may be smaller than they say."""
        return False

    def stderr(self, count: int | None = None) -> tuple[float, ...]:
        """Return the standard error of one cell of each block, in the block's own unit.

        Parameters
        ----------
        count
            True count of the cell, for errors that depend on it (rounding); of any count if left out.
        """
        del count
        pairs = zip(self.laws, self.query.blocks, strict=True)
        return tuple(law.variance**0.5 * float(block.unit) for law, block in pairs)

    def half_width(self, level: float = 0.95) -> tuple[float, ...]:
        """Return for each block the q such that value +/- q covers the truth with probability `level`."""
        pairs = zip(self.laws, self.query.blocks, strict=True)
        return tuple(half_width(law, level) * float(block.unit) for law, block in pairs)

    def probability_false_zero(self, count: int) -> tuple[float, ...]:
        """Return for each block the chance that `count` true cases are published as none (or fewer)."""
        return tuple(probability_not_positive(law, count) for law in self.laws)

    def explain(self) -> tuple[str, ...]:
        """Return plain sentences for people who will read the table."""
        if self.hides is not None:
            low, high = self.hides
            further = ", nor further cells from which they would follow" if self.complementary else ""
            return (f"Counts from {low} to {high} are not shown{further}; every other count is exact.",)
        if all(law.variance == 0 for law in self.laws):
            return ("Every number is exact.",)
        return tuple(self._sentence(index) for index in range(len(self.laws)))

    def _sentence(self, index: int) -> str:
        block, width = self.query.blocks[index], self.half_width()[index]
        what = f"a published {'count' if block.measure == 'count' else block.measure.replace('_', ' of ')}"
        where = f" in the table {block.name}" if len(self.laws) > 1 else ""
        near = f"within {width:g} of the truth" if width else "exactly the truth"
        text = f"In 95 of 100 publications {what}{where} is {near}"
        if block.measure == "count":
            text += f"; one true case is published as none in {100 * self.probability_false_zero(1)[index]:.3g} of 100"
        return text + "."
