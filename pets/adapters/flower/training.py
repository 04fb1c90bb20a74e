"""Flower's own training, round by round on the registry's own ledger.

Flower's strategies (FedAvg, with or without ``DifferentialPrivacyServerSideFixedClipping`` around it) ask each registry
in each round for a model that was trained on its rows. What leaves is a function of all of them, so the registry pays
for it, and without this mod nobody does: Flower's accountant is the collector's, counts registries and not patients,
and leaves metrics out. :class:`TrainingMod` clips the update, adds the noise here, and charges before a row is read.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pets.adapters.flower.messages import RECORD, flower, to_reply
from pets.adapters.flower.mods import Next, OpenSite, open_or_tell
from pets.adapters.parcel import Parcel
from pets.adapters.site import Site
from pets.config import digest
from pets.dp.engines import engine
from pets.errors import InvalidArgument, PetsError, QueryRefused
from pets.exact import Number, positive
from pets.guarantee import ZeroConcentratedDP

if TYPE_CHECKING:
    from flwr.app import Context, Message

GRID: Final = 2**20
"""Steps of the noise in one clipping norm."""

_ARRAYS, _METRICS = "arrays", "metrics"


class TrainingMod:
    """Makes each training round of a ClientApp a differentially private release of the registry, paid for in advance.

    Put it around the whole app, outermost: ``ClientApp(mods=[TrainingMod(...)])``. Rounds of training are answered with
    the model of the round plus a clipped, noisy update, and no metric but an equal weight for each registry. Anything
    else but questions is refused: an evaluation on the registry's rows would leave without noise.

    Parameters
    ----------
    open_site
        From Flower's context to the site, whose ledger and log are used.
    clip
        Longest update, in the L2 norm over all arrays. Public, and the registry's own word: not the collector's.
    multiplier
        Standard deviation of the noise in clipping norms, above 0.
    weight
        Metric by which the strategy weighs the replies; each reply says 1.

    Raises
    ------
    InvalidArgument
        `clip` or `multiplier` is not a positive number.

    Guarantee
    ---------
    Each round is ``2 / multiplier**2``-zero-concentrated differentially private for any change of the registry's rows,
    hence for any patient with however many rows, and against everybody, the collector included. Two clipped updates are
    at most ``2 clip`` apart, whatever the training does; on a grid, towards zero, that holds to the last bit, and the
    noise there is discrete Gaussian. A training that fails, or gives something else than such a model, is answered as
    one that learnt nothing, with noise: whether it fails may depend on one patient, and on what the collector sent. Why
    is said on that machine only. Rounds compose, also where later models depend on earlier ones.

    References
    ----------
    McMahan, Ramage, Talwar, Zhang, *Learning differentially private recurrent language models*, ICLR 2018 (clipped
    updates). Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020, theorem 4. Bun,
    Steinke, *Concentrated differential privacy*, TCC 2016, lemma 2.3 (adaptive composition).
    """

    def __init__(self, open_site: OpenSite, *, clip: Number, multiplier: Number, weight: str = "num-examples") -> None:
        self.open_site, self.weight = open_site, weight
        self.clip = float(positive(clip, "clip"))
        self.multiplier = positive(multiplier, "multiplier")
        if not 2.0**-900 < self.clip < 2.0**900:
            raise InvalidArgument("clip", "is no ordinary number", "Give the longest update that you expect.")
        if not Fraction(1, 2**10) <= self.multiplier <= 2**20:
            raise InvalidArgument("multiplier", "must be between 1/1024 and 2**20", "For example 1, or 10.")

    @property
    def cost(self) -> ZeroConcentratedDP:
        """What a round costs."""
        return ZeroConcentratedDP(2 / self.multiplier**2)

    def __call__(self, message: Message, context: Context, call_next: Next) -> Message:
        """Answer one message."""
        kind = message.metadata.message_type.partition(".")[0]
        if kind == "query":
            reply = call_next(message, context)
            if not reply.has_error() and set(reply.content) != {RECORD}:  # the four mods have not made it
                return to_reply(Parcel.refused(QueryRefused("form", "only questions of pets are answered")), message)
            return reply
        site, replies = open_or_tell(self.open_site, context), []
        if site is None:
            return to_reply(Parcel.refused(PetsError("the site cannot be opened")), message)

        def work() -> Parcel:
            if kind != "train":
                raise QueryRefused("form", "only rounds of training are answered: all else would leave without noise")
            replies.append(self._trained(site, message, context, call_next))
            return Parcel(kind)

        outcome = site.logged(Parcel(kind), work)
        return to_reply(outcome, message) if outcome.kind == "refused" else replies[0]

    def _trained(self, site: Site, message: Any, context: Any, call_next: Next) -> Any:
        app = flower()
        given = _only_arrays(message)
        before = given.to_numpy_ndarrays()
        if any(array.dtype.kind not in "iuf" for array in before):
            raise QueryRefused("form", "a model must be of real numbers")
        site.ledger.charge(
            self.cost, note="a round of training with Flower", dataset=site.dataset, unit=str(site.domain.unit),
            request=digest({"site": site.name, "draw": secrets.token_hex(16)}),
        )  # fmt: skip
        update = _update(before, lambda: call_next(message, context))
        update = private_update(update, self.clip, self.multiplier)
        arrays, start = {}, 0
        for name, array in zip(given.keys(), before, strict=True):
            moved = array.astype(np.float64) + update[start : start + array.size].reshape(array.shape)
            arrays[name] = app.Array(moved.astype(array.dtype))
            start += array.size
        site.log.append("finished", code="trained", dataset=site.dataset)
        content = {_ARRAYS: app.ArrayRecord(arrays), _METRICS: app.MetricRecord({self.weight: 1})}
        return app.Message(app.RecordDict(content), reply_to=message)


def private_update(update: NDArray[np.float64], clip: float, multiplier: Fraction) -> NDArray[np.float64]:
    """Return an update, clipped to the L2 norm `clip`, with discrete Gaussian noise of `multiplier` times that.

    Parameters
    ----------
    update
        Shape (n,). One with an infinite or undefined number counts as none at all.
    clip
        Longest norm, above 0.
    multiplier
        Standard deviation of the noise in units of `clip`.
    """
    largest = float(np.max(np.abs(update), initial=0.0))
    steps = np.zeros(update.shape, dtype=np.int64)
    if np.isfinite(largest) and largest > 0:
        scaled = update / largest  # so that no square over- or underflows
        factor = min(largest / clip, 1 / float(np.linalg.norm(scaled)))
        steps = np.trunc(scaled * (GRID * factor)).astype(np.int64)
        while int(np.dot(steps, steps)) > GRID**2:  # rounding of the product above
            steps -= np.sign(steps)
    noise = engine("pets").discrete_gaussian((multiplier * GRID) ** 2, update.size)
    return np.asarray((steps + noise.reshape(update.shape)) * (clip / GRID), dtype=np.float64)


def _update(before: Sequence[NDArray[Any]], train: Callable[[], Any]) -> NDArray[np.float64]:
    """Return how far the training moved the model; not at all if it failed, which nobody elsewhere may see."""
    try:
        reply = train()
        if reply.has_error():
            raise PetsError("its reply is an error")
        after = _only_arrays(reply).to_numpy_ndarrays()
        if [array.shape for array in before] != [array.shape for array in after]:
            raise PetsError("the trained model has other arrays than the one that came")
        with np.errstate(invalid="ignore", over="ignore"):  # a training that diverged
            return _flat(after) - _flat(before)
    except Exception as error:  # noqa: BLE001 the site's own app may raise anything, and its text may quote rows
        why = f": {error}" if isinstance(error, PetsError) else ""
        sys.stderr.write(f"pets: a round of training failed ({type(error).__name__}{why}); only noise was sent\n")
    return np.zeros(sum(array.size for array in before))


def _flat(arrays: Sequence[Any]) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays] or [np.zeros(0)])


def _only_arrays(message: Any) -> Any:
    records = list(message.content.array_records.values())
    if len(records) != 1:
        raise QueryRefused("form", "a round of training needs one record of arrays")
    return records[0]
