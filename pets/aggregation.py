"""Add up integer arrays of several sites by a secure sum, all parties in this process, and measure what it costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.config import digest
from pets.errors import InvalidArgument
from pets.roles import Aggregator
from pets.session import SERVER, InProcess, Spec, Transcript, contribution, session_keys
from pets.tally import Tally


@dataclass(frozen=True, repr=False)
class Aggregation:
    """What :func:`aggregate` returns.

    Attributes
    ----------
    total
        Sum over the survivors, int64, of the shape of the inputs.
    survivors
        Sites whose array is in the total.
    suppressed
        Boolean array of the same shape: cells that were never opened (0 in the total); ``None`` when all were.
    bytes_sent
        Bytes that each party sent, headers included.
    cpu_seconds
        CPU time of each party in the session; the collector is called ``'server'``.
    setup_cpu_seconds
        CPU time of all parties together for agreeing on keys, which a study does once.
    audit_cpu_seconds
        CPU time of checking, as a third party would, every signature of the collector's transcript.
    spec
        The contract.
    transcripts
        The record of each party.
    """

    total: NDArray[np.int64]
    survivors: tuple[str, ...]
    suppressed: NDArray[np.bool_] | None
    bytes_sent: Mapping[str, int]
    cpu_seconds: Mapping[str, float]
    setup_cpu_seconds: float
    audit_cpu_seconds: float
    spec: Spec
    transcripts: Mapping[str, Transcript] = field(repr=False)

    def rows(self) -> list[tuple[str, int, float]]:
        """Return name, bytes sent and CPU milliseconds of each party."""
        return [(name, self.bytes_sent.get(name, 0), 1e3 * seconds) for name, seconds in self.cpu_seconds.items()]

    def __repr__(self) -> str:
        count = len(self.survivors)
        hidden = 0 if self.suppressed is None else int(self.suppressed.sum())
        lines = [f"Total of {self.total.size:,} values over {count} of {len(self.spec.sites)} sites"]
        lines += [f"  {hidden:,} cells were not opened (0 in the total): see suppressed"] if hidden else []
        lines += [f"  {name}: {sent:,} bytes sent, {ms:.2f} ms CPU" for name, sent, ms in self.rows()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(n)}</td><td>{b:,}</td><td>{ms:.2f}</td></tr>" for n, b, ms in self.rows())
        return f"<table><tr><th>party</th><th>bytes sent</th><th>CPU ms</th></tr>{rows}</table>"


def aggregate(
    aggregator: Aggregator,
    arrays: Mapping[str, Any],
    *,
    bound: int | None = None,
    lower: int | None = None,
    weights: Mapping[str, int] | None = None,
    drop: Mapping[str, str] | None = None,
) -> Aggregation:
    """Return the sum of `arrays`, computed by every party of the secure sum through its real messages.

    All parties run in this process: the result is right and the costs are real, but whoever runs the process sees
    every input. Across machines use ``pets site`` and ``pets collect``.

    Parameters
    ----------
    aggregator
        For example ``pets.mpc.MaskedSum()``.
    arrays
        Name of each site and its integer array; all of one shape.
    bound, lower
        Public limits of every single value. Left out, `lower` is ``-bound`` and `bound` as large as 63 bits carry;
        a tight bound makes the messages smaller.
    weights
        A positive integer for each site; the total is the weighted sum.
    drop
        For a party, the stage from which on it is silent, e.g. ``{"FR": "input"}``; the aggregator's ``stages`` names
        them.

    Returns
    -------
    Aggregation
        Total, survivors, bytes and CPU seconds of each party, and the transcript.

    Raises
    ------
    InvalidArgument
        An array is not of integers, or has another shape than the others.
    RangeOverflow
        A value is outside the bounds, or the total could leave 63 bits.
    PairingRefused
        The sites are too few for this protocol.
    ProtocolAbort
        Too many sites dropped out, or a party misbehaved.

    Examples
    --------
    >>> import numpy as np, pets
    >>> cases = {"FR": np.array([3, 0, 1]), "UK": np.array([1, 2, 0]), "US": np.array([4, 0, 0])}
    >>> pets.aggregate(pets.mpc.MaskedSum(), cases, bound=1000).total
    array([8, 2, 1])
    """
    if isinstance(aggregator, type) or not isinstance(aggregator, Aggregator):
        raise InvalidArgument("aggregator", "must be an aggregator", "Give for example pets.mpc.MaskedSum().")
    for argument, value in (("drop", drop), ("weights", weights)):
        if value is not None and not isinstance(value, Mapping):
            raise InvalidArgument(argument, "must map names of sites", "Give for example drop={'FR': 'input'}.")
    tallies, shape = _tallies(arrays)
    size = int(np.prod(shape))
    names = tuple(arrays)
    spec = Spec(
        next(iter(tallies.values())).signature, size, names, bound=bound, lower=lower, aggregator=aggregator.to_dict(),
        weights=() if weights is None else tuple(_weight(weights, name) for name in names),
    )  # fmt: skip
    started = time.process_time()
    keys = session_keys(aggregator, spec)
    set_up = time.process_time()
    values = {name: contribution(spec, name, tallies[name]) for name in names}
    run = InProcess(aggregator, spec, values, keys, drop=drop).run()
    ended = time.process_time()
    if keys is not None:
        run.transcripts[SERVER].verify(keys[SERVER])
    hidden = run.outcome.suppressed
    return Aggregation(
        total=run.outcome.total.reshape(shape),
        survivors=run.outcome.survivors,
        suppressed=None if hidden is None else hidden.reshape(shape),
        bytes_sent=run.bytes_sent,
        cpu_seconds=run.cpu_seconds,
        setup_cpu_seconds=set_up - started,
        audit_cpu_seconds=time.process_time() - ended,
        spec=spec,
        transcripts=run.transcripts,
    )


def _tallies(arrays: Mapping[str, Any]) -> tuple[dict[str, Tally], tuple[int, ...]]:
    if not isinstance(arrays, Mapping) or not arrays:
        raise InvalidArgument("arrays", "must map names of sites to arrays", "Give for example {'FR': array, ...}.")
    found = {name: np.asarray(array) for name, array in arrays.items()}
    shape = next(iter(found.values())).shape
    for name, array in found.items():
        if array.dtype.kind not in "iu":
            raise InvalidArgument(
                f"arrays[{name!r}]", f"must be whole numbers, not {array.dtype}",
                "Fill what is missing; multiply fractions by a public scale and round.",
            )  # fmt: skip
        if array.shape != shape:
            raise InvalidArgument(f"arrays[{name!r}]", f"has the shape {array.shape}, others have {shape}")
    signature = digest({"arrays": list(shape)})
    return {name: Tally(array.ravel(), signature) for name, array in found.items()}, shape


def _weight(weights: Mapping[str, int], name: str) -> int:
    if name not in weights:
        raise InvalidArgument("weights", f"has none for {name!r}", "Give every site a positive integer.")
    return weights[name]
