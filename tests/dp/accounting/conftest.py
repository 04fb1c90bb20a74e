"""True epsilons and deltas, computed without the package: enumeration and closed forms with 50 digits."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import mpmath
import pytest

mp = mpmath.mp.clone()
mp.dps = 50

Law = dict[object, object]  # loss -> probability under P; what is missing to 1 is infinite


class Truth:
    """Exact laws of the privacy loss and what follows from them."""

    mp = mp

    @staticmethod
    def number(x: object) -> object:
        f = Fraction(str(x)) if not isinstance(x, Fraction) else x
        return mp.mpf(f.numerator) / f.denominator

    def two_points(self, epsilon: object, categories: int = 2, delta: object = 0) -> Law:
        e, d = self.number(epsilon), self.number(delta)
        whole = (1 + (categories - 1) * mp.exp(-e)) / (1 - d)
        law = {e: 1 / whole, -e: mp.exp(-e) / whole}
        return law | ({mp.mpf(0): (categories - 2) * mp.exp(-e) / whole} if categories > 2 else {})

    def discrete_laplace(self, scale: object, change: int) -> Law:
        """By brute force over the outputs, not by the formula of the package."""
        a = 1 / self.number(scale)
        law: dict[object, object] = defaultdict(mp.mpf)
        normal = (1 - mp.exp(-a)) / (1 + mp.exp(-a))
        tail = mp.exp(-a) / (1 + mp.exp(-a))
        law[a * change] += tail + normal  # x <= 0
        law[-a * change] += mp.exp(-a * change) * (tail + normal)
        for x in range(1, change):
            law[a * (change - 2 * x)] += normal * mp.exp(-a * x)
        return dict(law)

    def discrete_gaussian(self, sigma2: object, change: int) -> Law:
        """Cut off 16 standard deviations out; what is cut off is added to the largest loss, hence a lower bound."""
        s2 = self.number(sigma2)
        far = int(16 * mp.sqrt(s2)) + change + 2
        weights = {x: mp.exp(-(mp.mpf(x) ** 2) / (2 * s2)) for x in range(-far, far + 1)}
        whole = mp.fsum(weights.values())
        return {change * (change - 2 * mp.mpf(x)) / (2 * s2): w / whole for x, w in weights.items()}

    def sampled(self, law: Law, rate: object, direction: str) -> Law:
        """Poisson sampling of a finite law."""
        q = self.number(rate)
        out = {}
        for loss, p in law.items():
            mixed = mp.log(1 - q + q * mp.exp(loss))
            under_q = p * mp.exp(-loss)
            if direction == "remove":
                out[mixed] = q * p + (1 - q) * under_q
            else:
                out[-mixed] = under_q
        return out

    def compose(self, *laws: Law) -> Law:
        total: Law = {mp.mpf(0): mp.mpf(1)}
        for law in laws:
            grown: dict[object, list[object]] = defaultdict(list)
            for a, p in total.items():
                for b, r in law.items():
                    # Equal sums may differ in the last of 50 digits.
                    grown[mp.mpf(mp.nstr(a + b, 40))].append(p * r)
            total = {loss: mp.fsum(ps) for loss, ps in grown.items()}
        return total

    def power(self, law: Law, n: int) -> Law:
        """Return n-fold composition of a law with two values by the binomial formula (Kairouz et al. 2015)."""
        (a, p), (b, r) = law.items()
        return {k * a + (n - k) * b: mp.binomial(n, k) * p**k * r ** (n - k) for k in range(n + 1)}

    def delta(self, law: Law, epsilon: object) -> object:
        e = self.number(epsilon)
        finite = mp.fsum(p * -mp.expm1(e - loss) for loss, p in law.items() if loss > e)
        return finite + max(1 - mp.fsum(law.values()), 0)

    def epsilon(self, law: Law, delta: object) -> object:
        """Between two losses delta is A - e^epsilon B: walk down from the largest loss and solve in the right piece."""
        d = self.number(delta) - max(1 - mp.fsum(law.values()), 0)
        a = b = mp.mpf(0)
        losses = sorted((loss for loss in law if loss > 0), reverse=True)
        for loss, below in zip(losses, [*losses[1:], mp.mpf(0)], strict=True):
            a, b = a + law[loss], b + law[loss] * mp.exp(-loss)
            if a - mp.exp(below) * b > d:
                return mp.log((a - d) / b)
        return mp.mpf(0)

    def gaussian_delta(self, mu: object, epsilon: object) -> object:
        a, b = epsilon / mu - mu / 2, epsilon / mu + mu / 2
        return mp.ncdf(-a) - mp.exp(epsilon) * mp.ncdf(-b)

    def gaussian_epsilon(self, mu: object, delta: object) -> object:
        d = self.number(delta)
        low, high = mp.mpf(0), mu * (mu / 2 + mp.sqrt(-2 * mp.log(d)))
        if self.gaussian_delta(mu, low) <= d:
            return low
        for _ in range(130):
            middle = (low + high) / 2
            low, high = (middle, high) if self.gaussian_delta(mu, middle) > d else (low, middle)
        return low


@pytest.fixture(scope="session")
def truth() -> Truth:
    return Truth()
