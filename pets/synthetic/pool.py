"""A pool of artificial rows: what is kept of a model that has no form as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.errors import PairingRefused
from pets.synthetic.encoding import rows_of
from pets.synthetic.encoding.columns import Codes

if TYPE_CHECKING:
    from pets.synthetic.row_model import RowModel


@dataclass(frozen=True, eq=False)
class Pool:
    """Artificial rows that were drawn before; drawn from without replacement.

    Attributes
    ----------
    codes
        Shape (columns, rows).
    """

    codes: Codes

    def draw(self, rows: int, source: RandomSource) -> Codes:
        """Return all rows in random order, of which the caller takes what it needs."""
        return self.codes[:, np.argsort(source.words(rows_of(self.codes), np.uint64), kind="stable")]

    def portable(self, model: RowModel) -> Pool:
        """Return the pool itself."""
        return self

    def record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the pool."""
        return {"pool": rows_of(self.codes)}, {"codes": self.codes.astype(np.int32)}

    def check(self, rows: int) -> None:
        """Refuse to give a row twice: repeated rows would look like more data than there are.

        Raises
        ------
        PairingRefused
            The pool holds fewer rows.
        """
        if rows > rows_of(self.codes):
            raise PairingRefused(
                f"this file holds a pool of {rows_of(self.codes):,} artificial rows and no model, and {rows:,} were "
                "asked for. Take fewer, or fit again and save with a larger pool."
            )
