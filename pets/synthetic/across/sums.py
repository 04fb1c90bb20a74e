"""Questions to the sites, each answered by one session of a secure sum through the real messages of all parties."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.dp.distributed import Shares
from pets.errors import ProtocolAbort
from pets.identity import agree_in_process
from pets.session import InProcess, Keys, Spec, contribution
from pets.session.rounds import following, signature
from pets.synthetic.across.arrangement import Arrangement
from pets.synthetic.coarsening import Grouping
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.fitting import in_groups
from pets.tally import Tally

_FAILURE = 64 * math.log(2)

Answer = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Question:
    """What all parties are asked at once. Nothing in it depends on rows, but through answers that are public.

    Attributes
    ----------
    round
        From 1.
    asked
        The question as plain data.
    spec
        The contract of the session that answers it.
    shape
        Of the answer.
    count
        From codes to whole numbers.
    shares
        Law of the noise that each site adds; ``None``: none.
    grouped
        Whether `count` is given groups of codes, or the codes themselves.
    """

    round: int
    asked: Mapping[str, Any]
    spec: Spec
    shape: tuple[int, ...]
    count: Callable[[Codes], Answer]
    shares: Shares | None
    grouped: bool

    def table(self, codes: Codes) -> Answer:
        """Return what `count` says of some rows, as a list of numbers. Confidential."""
        return np.asarray(self.count(codes), dtype=np.int64).ravel()

    def contribution(self, spec: Spec, name: str, table: Answer, source: RandomSource) -> Answer:
        """Return what a site puts into the sum: its table within the declared bounds, and its share of the noise.

        Raises
        ------
        RangeOverflow
            A number is outside the bounds; no noise was drawn.
        """
        tally = Tally(table, spec.signature)
        contribution(spec, name, tally)
        noise = None if self.shares is None else Tally(self.shares.draw(spec.size, source), spec.signature)
        return contribution(spec, name, tally, noise)


@dataclass(eq=False)
class Sums(ABC):
    """The rows of several sites, of which only totals come out; how they are reached is the subclass's business.

    Attributes
    ----------
    arrangement
        How they are added up.
    facts
        Public facts that name the fit; part of every contract.
    """

    arrangement: Arrangement
    facts: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    asked: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        self._earlier = ""

    @property
    @abstractmethod
    def columns(self) -> int:
        """Number of columns."""

    @property
    @abstractmethod
    def secure(self) -> bool:
        """Whether what the sites add as noise is unpredictable."""

    @abstractmethod
    def regroup(self, groupings: Sequence[Grouping]) -> None:
        """Let every site take groups of codes."""

    @abstractmethod
    def answered(self, question: Question) -> Answer:
        """Return the total that answers a question."""

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
        shape = np.asarray(count(np.empty((self.columns, 0), dtype=np.int64))).shape
        size = math.prod(shape)
        self.asked += 1
        reach = 0 if shares is None else shares.reach(len(self.arrangement.sites), _failure(size))
        spec = self.arrangement.spec(
            signature(self.facts, question, self.asked, self._earlier), size,
            noise_bound=reach, signed=signed, number=self.asked,
        )  # fmt: skip
        found = self.answered(Question(self.asked, dict(question), spec, shape, count, shares, grouped))
        if shares is not None:  # an exact total is confidential, and contracts are not
            self._earlier = following(self._earlier, found)
        return found.reshape(shape)


@dataclass(eq=False)
class SiteSums(Sums):
    """All sites in this process.

    Attributes
    ----------
    codes
        Confidential rows of each site.
    source
        Where the sites' noise shares come from.
    """

    codes: Mapping[str, Codes]
    source: RandomSource = field(default_factory=secure_random, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._grouped = dict(self.codes)
        parties = self.arrangement.aggregator.parties(self.arrangement.spec("", 1))
        self._study = agree_in_process(parties) if self.arrangement.aggregator.keyed else None

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(next(iter(self.codes.values())).shape[0])

    @property
    def secure(self) -> bool:
        """Whether what the sites add as noise is unpredictable."""
        return self.source.secure

    def regroup(self, groupings: Sequence[Grouping]) -> None:
        """Let every site take groups of codes."""
        self._grouped = {name: in_groups(groupings, codes) for name, codes in self.codes.items()}

    def answered(self, question: Question) -> Answer:
        """Return the total of all sites, through the messages of all parties."""
        rows, spec = self._grouped if question.grouped else self.codes, question.spec
        tables = {name: question.table(codes) for name, codes in rows.items()}
        values = {name: question.contribution(spec, name, table, self.source) for name, table in tables.items()}
        run = InProcess(self.arrangement.aggregator, spec, values, self._keys(spec)).run()
        if set(run.outcome.survivors) != set(tables):
            raise ProtocolAbort("end", "a site is missing from the total, so the tables would not be of the same rows")
        return run.outcome.total

    def _keys(self, spec: Spec) -> dict[str, Keys] | None:
        if self._study is None:
            return None
        return {name: part.session(spec.number, spec.id) for name, part in self._study.items()}


def _failure(size: int) -> float:
    return _FAILURE + math.log(max(size, 1)) + 1e-9
