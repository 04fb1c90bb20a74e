"""From the contract of a session to what is encrypted: centred values, and the parameters that hold their totals."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import RangeOverflow
from pets.he.choice import choose_parameters
from pets.he.parameters import Parameters
from pets.session import Spec


def parameters_for(spec: Spec, *, step: int = 1, **settings: Any) -> Parameters:
    """Return the parameters with the smallest messages for the totals of `spec`.

    Parameters
    ----------
    spec
        The contract.
    step
        Sites round to multiples of this; totals are then counted in such steps.
    settings
        As for :func:`pets.he.choice.choose_parameters`.

    Raises
    ------
    RangeOverflow
        No parameters hold such totals.
    """
    bound = max(_half(spec) * spec.total_weight + spec.noise_bound, 1)
    if step > 1:
        bound = bound // step + len(spec.sites) + 1  # each site's rounding moves the total by half a step at most
    try:
        return _chosen(total_bound=bound, values=max(spec.size, 1), **settings)
    except RangeOverflow:
        raise RangeOverflow(
            f"no parameters of 128-bit security hold totals of {len(spec.sites)} sites with values between "
            f"{spec.least:,} and {spec.upper:,}. Declare a tighter bound on each value (`bound`, `site_bound` in a "
            "plan), or take mpc.MaskedSum, which carries 63 bits."
        ) from None


_chosen = lru_cache(maxsize=64)(choose_parameters)


def centred(spec: Spec, site: str, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what a site encrypts: its values about the middle of their range, which saves a bit for counts.

    Never empty, since a ciphertext holds at least one value.
    """
    shifted = values - np.int64(_middle(spec) * spec.weight(site))
    return shifted if shifted.size else np.zeros(1, dtype=np.int64)


def restored(spec: Spec, survivors: Iterable[str], totals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the totals of what these sites put in."""
    shift = _middle(spec) * sum(spec.weight(name) for name in survivors)
    return totals[: spec.size] + np.int64(shift)


def _middle(spec: Spec) -> int:
    return (spec.least + spec.upper) // 2


def _half(spec: Spec) -> int:
    return max(spec.upper - _middle(spec), _middle(spec) - spec.least)
