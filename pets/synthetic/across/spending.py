r"""The price of noise that several sites draw in shares.

*In zero-concentrated DP* nothing changes: the shares of any `honest` sites cost no more than discrete Gaussian noise of
the promised parameter (:func:`pets.dp.distributed.concentrated_shares`), further shares are a post-processing.

*In approximate DP* the exact loss distribution is used where shares are wide (variance of at least 8). The sum Z of h
discrete Gaussians of variance parameter :math:`\sigma^2/h` is no discrete Gaussian, but :math:`|\ln P(Z = z) -
\ln P(W = z)| \le 5 \sum_{k<h} e^{-2 \pi^2 (\sigma^2 / h) k / (k+1)}` for every z, with W of parameter
:math:`\sigma^2` (Kairouz, Liu, Steinke, Proposition 12, used h - 1 times): less than 2 10^-29 for h up to 65,536. So
each loss is that of W but for twice this, and the loss of a plan of N numbers but for :math:`\tau < N 10^{-28}`:
:math:`\delta_Z(\epsilon) \le e^{\tau} \delta_W(\epsilon - \tau)`. Keeping back a part in 2^40 of epsilon and of delta
covers it. Narrow shares are Skellam noise, and enter with the zero-concentrated loss that is proven for them.

References
----------
Kairouz, Liu, Steinke, *The distributed discrete Gaussian mechanism for federated learning with secure aggregation*,
ICML 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from pets.dp.accounting import DiscreteGaussianLoss, Loss, ZCDPLoss
from pets.dp.distributed import SMOOTH, GaussianShares, Shares, SkellamShares, concentrated_shares
from pets.synthetic.budget import Spending, Step

_WIDER = 1 + Fraction(1, 2**60)
"""By how much :func:`concentrated_shares` makes the variance of Gaussian shares larger."""


@dataclass(frozen=True)
class SharedSpending(Spending):
    """What each share of a budget buys if sites draw the noise.

    Attributes
    ----------
    sites
        How many add a share.
    honest
        How many of these shares keep the promise. Noise at a curator: 1 and 1.
    """

    sites: int = 1
    honest: int = 1
    slack: ClassVar[Fraction] = Fraction(1, 2**40)

    def sigma2(self, share: Fraction) -> Fraction:
        """Return the variance parameter of all shares of the noise of a table together."""
        return self.of_all(self.promised("table", share))

    def contrast_sigma2(self, share: Fraction) -> Fraction:
        """Return the variance parameter of all shares of the noise of a contrast together."""
        return self.of_all(self.promised("contrast", share))

    def promised(self, kind: str, share: Fraction) -> Fraction:
        """Return the parameter of the discrete Gaussian noise that `honest` shares stand for."""
        return self._squared(kind) * self.scale / share

    def shares(self, kind: str, share: Fraction) -> Shares:
        """Return the law of which every site draws."""
        return concentrated_shares(self.promised(kind, share), self.honest)

    def of_all(self, promised: Fraction) -> Fraction:
        """Return the variance parameter of the shares of all sites together."""
        made = concentrated_shares(promised, self.honest)
        assert isinstance(made, GaussianShares | SkellamShares)  # noqa: S101 there is no other kind
        whole = made.variance if isinstance(made, SkellamShares) else promised
        return whole * self.sites / self.honest

    def _squared(self, kind: str) -> int:
        """Return the largest squared change; a row that is exchanged for another turns a contrast by two."""
        if kind == "table":
            return self.l2_squared
        return self.rows**2 * (1 if self.unit.neighbours == "add_remove" else 4)

    def _loss(self, step: Step) -> Loss:
        promised = self.promised(step.kind, step.share)
        if self.rows > 1 or promised < SMOOTH * self.honest:
            return ZCDPLoss(self._squared(step.kind) / (2 * promised))
        if step.kind == "table":
            return self._table_loss(promised * _WIDER)
        return DiscreteGaussianLoss(promised * _WIDER, 1 if self.unit.neighbours == "add_remove" else 2)
