"""Questions to the sites, each answered by one session of a secure sum through the real messages of all parties."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.config import digest
from pets.csprng import RandomSource, secure_random
from pets.dp.distributed import Shares
from pets.errors import ProtocolAbort
from pets.identity import agree_in_process
from pets.session import InProcess, Keys, Spec, contribution
from pets.synthetic.across.arrangement import Arrangement
from pets.synthetic.coarsening import Grouping
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.fitting import in_groups
from pets.tally import Tally

_FAILURE = 64 * math.log(2)

Answer = NDArray[np.int64]


@dataclass(eq=False)
class SiteSums:
    """The rows of several sites, of which only totals come out.

    Attributes
    ----------
    arrangement
        How they are added up.
    codes
        Confidential rows of each site.
    facts
        Public facts that name the fit; part of every contract.
    source
        Where the sites' noise shares come from.
    """

    arrangement: Arrangement
    codes: Mapping[str, Codes]
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: RandomSource = field(default_factory=secure_random)
    asked: int = 0

    def __post_init__(self) -> None:
        self._grouped = dict(self.codes)
        parties = self.arrangement.aggregator.parties(self.arrangement.spec("", 1))
        self._study = agree_in_process(parties) if self.arrangement.aggregator.keyed else None

    def regroup(self, groupings: Sequence[Grouping]) -> None:
        """Let every site take groups of codes."""
        self._grouped = {name: in_groups(groupings, codes) for name, codes in self.codes.items()}

    def total(
        self,
        question: Mapping[str, Any],
        count: Callable[[Codes], Answer],
        *,
        shares: Shares | None,
        grouped: bool = True,
        signed: bool = False,
    ) -> Answer:
        """Return the sum over the sites of what `count` says of their rows.

        Parameters
        ----------
        question
            What is asked, as plain data; all parties must agree on it.
        count
            From codes to whole numbers.
        shares
            Law of the noise that each site adds; ``None``: none, and the total is exact and confidential.
        grouped
            Whether `count` is given groups of codes, or the codes themselves.
        signed
            Whether a site's numbers may be negative.

        Raises
        ------
        RangeOverflow
            A site's numbers are outside the declared bound.
        ProtocolAbort
            A party stopped.
        """
        rows = self._grouped if grouped else self.codes
        tables = {name: np.asarray(count(codes), dtype=np.int64) for name, codes in rows.items()}
        shape = next(iter(tables.values())).shape
        size = math.prod(shape)
        self.asked += 1
        signature = digest({**self.facts, "question": {**question, "number": self.asked}})
        reach = 0 if shares is None else shares.reach(len(tables), _FAILURE + math.log(max(size, 1)) + 1e-9)
        spec = self.arrangement.spec(signature, size, noise_bound=reach, signed=signed, number=self.asked)
        values = {name: self._contribution(spec, name, table, shares) for name, table in tables.items()}
        run = InProcess(self.arrangement.aggregator, spec, values, self._keys(spec)).run()
        if set(run.outcome.survivors) != set(tables):
            raise ProtocolAbort("end", "a site is missing from the total, so the tables would not be of the same rows")
        return run.outcome.total.reshape(shape)

    def _contribution(self, spec: Spec, name: str, table: Answer, shares: Shares | None) -> Answer:
        noise = None if shares is None else Tally(shares.draw(spec.size, self.source), spec.signature)
        return contribution(spec, name, Tally(table.ravel(), spec.signature), noise)

    def _keys(self, spec: Spec) -> dict[str, Keys] | None:
        if self._study is None:
            return None
        return {name: part.session(spec.number, spec.id) for name, part in self._study.items()}
