"""Planted bugs: the same battery that passes on the real code must fail on each of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pets.dp.accounting import (
    ApproxLoss,
    DiscreteGaussianLoss,
    DiscreteLaplaceLoss,
    ExponentialMechanismLoss,
    GaussianLoss,
    InParallel,
    LaplaceLoss,
    PureLoss,
    Repeated,
    Subsampled,
    account,
    accountant,
    bounds,
    contour,
    gaussian,
    renyi,
    sampled,
    survival,
    terms,
    theta,
    transforms,
)


@pytest.fixture(scope="module")
def battery(truth):
    """Return cases ``(losses, delta, true epsilon, largest relative excess)``."""
    two, sub = truth.two_points, truth.sampled
    both = [truth.epsilon(truth.power(sub(two("0.5"), "0.1", way), 300), "1e-6") for way in ("remove", "add")]
    add = [truth.epsilon(truth.power(sub(two("3"), "0.9", way), 2), "0.3") for way in ("remove", "add")]
    assert both[0] > both[1] * 1.01
    mixed = truth.compose(truth.discrete_laplace(4, 3), two("0.5"), truth.discrete_gaussian(2, 1))
    gauss = truth.gaussian_epsilon(truth.number("0.5"), "1e-6")
    laplace = 1 + 2 * truth.mp.log1p(-truth.number("0.01"))
    return [
        (Repeated(Subsampled(PureLoss("0.5"), "0.1"), 300), "1e-6", max(both), 1e-3),
        (Repeated(Subsampled(PureLoss(3), "0.9"), 2), "0.3", max(add), 1e-2),
        (Repeated(PureLoss("0.1"), 100), "1e-6", truth.epsilon(truth.power(two("0.1"), 100), "1e-6"), 1e-6),
        (Repeated(PureLoss("0.1"), 100), "0.2", truth.epsilon(truth.power(two("0.1"), 100), "0.2"), 1e-6),
        (
            [DiscreteLaplaceLoss(4, 3), PureLoss("0.5"), DiscreteGaussianLoss(2, 1)],
            "1e-4", truth.epsilon(mixed, "1e-4"), 1e-3,
        ),
        (Repeated(GaussianLoss(20), 100), "1e-6", gauss, 1e-9),
        (Repeated(GaussianLoss(20), 100), ("loss distribution", "1e-6"), gauss, 1e-6),
        (Repeated(GaussianLoss(20), 100), ("renyi", "1e-6"), gauss, 0.2),
        (LaplaceLoss(1), "0.01", laplace, 1e-4),
        (
            ApproxLoss("0.3", "0.001"), "0.05", truth.epsilon(two("0.3", delta="0.001"), "0.05"), 1e-5,
        ),
        (InParallel([PureLoss("0.1"), LaplaceLoss(1)]), "0.01", laplace, 1e-4),
        (lambda: PureLoss("0.2").group(3), "1e-3", truth.epsilon(two("0.6"), "1e-3"), 1e-5),
        (lambda: GaussianLoss(20).group(10), "1e-6", gauss, 1e-9),
        (ExponentialMechanismLoss(1), "0.01", _ranged(truth), 1e-3),
    ]  # fmt: skip


def _ranged(truth):
    """Solve (e^(1/2) - e^(x/2))² = 0.01 (e - 1)."""
    mp = truth.mp
    return 2 * mp.log(mp.sqrt(mp.e) - mp.sqrt((mp.e - 1) / 100))


def verdict(truth, battery) -> list[str]:
    """Return what is wrong, in words."""
    wrong = []
    for case, asked, exact, tight in battery:
        name, delta = asked if isinstance(asked, tuple) else (None, asked)
        losses = case() if callable(case) else case
        found = truth.number(account(losses, delta=delta, bound=name).epsilon)
        if not exact <= found <= exact * (1 + tight):
            wrong.append(f"{losses} at {asked}: {float(found)} for {float(exact)}")
    return wrong


def test_the_battery_passes(truth, battery):
    assert verdict(truth, battery) == []


def _round_down(points, above_p, above_q):
    p = -np.diff(above_p)
    masses = np.zeros(points.size)
    masses[:-1] += p
    masses[0] += 1 - above_p[0]
    return masses


def _forward_only(function):
    def line(self, at, omega):
        found = function(self, at, omega)
        return found._replace(phi=found.phi.conj())

    return line


def _no_cut(self, model, mu2, window):
    """Cut the integral off after six frequencies, without a bound of the rest."""
    _LAY(self, model, mu2, window)
    self.fixed = 0.0
    self.terms, self.slopes, self.omega = self.terms[:6], self.slopes[:6], self.omega[:6]


_LAY = contour.Contour._lay
_MODELS = bounds.models
_BUGS = {
    "rounds down": lambda m: m.setattr(sampled, "_spread", _round_down),
    "one direction only: add": lambda m: m.setattr(bounds, "models", lambda t: _MODELS(t)[-1:]),
    "sampled directions swapped": lambda m: m.setattr(sampled.Sampled, "_above", _swapped),
    "wrong sign of the frequency": lambda m: m.setattr(sampled.Sampled, "line", _forward_only(sampled.Sampled.line)),
    "mass beyond the last edge forgotten": lambda m: m.setitem(survival._TAILS, "two points", _short),
    "truncation ignored": lambda m: m.setattr(contour.Contour, "_lay", _no_cut),
    "failure probability forgotten": lambda m: m.setattr(transforms.TwoPoints, "infinite", lambda self: 0.0),
    "half the window, wrap-around taken off": lambda m: m.setattr(contour.Contour, "upper", _unwrapped),
    "counts ignored": lambda m: m.setattr(transforms, "power", lambda values, count: values),
    "theta function left out": lambda m: m.setattr(theta, "_ratio", lambda s, slope, y: np.exp(-(slope**2) / 2) + 0j),
    "renyi without the logarithm": lambda m: m.setattr(renyi, "epsilon_bound", _naive),
    "mu is the sum of squares": lambda m: m.setattr(gaussian, "epsilon_at", lambda mu2, d: _GAUSS(mu2**2, d)),
    "parallel takes the best part": lambda m: m.setattr(accountant, "_worst", _best),
    "group as composition": lambda m: m.setattr(GaussianLoss, "group", _chain),
    "range as half": lambda m: m.setitem(terms._NUMBERS, ExponentialMechanismLoss, _halved),
    "kernel squared": lambda m: m.setattr(contour.Contour, "_lay", _squared),
}  # fmt: skip

_GAUSS = gaussian.epsilon_at
_EPSILON = renyi.epsilon_bound
_UPPER = contour.Contour.upper
_ABOVE = sampled.Sampled._above
_TWO = survival._two_points


def _swapped(self, points):
    p, q = _ABOVE(self, points)
    return q, p


def _short(eta, others, delta):
    both, far = _TWO(eta, others, delta)

    def cut(level):
        p, q = both(level)
        return np.where(level >= far / 2, 0.0, p), np.where(level >= far / 2, 0.0, q)

    return cut, far


def _unwrapped(self, epsilon):
    bound = _UPPER(self, epsilon)
    window = 2 * math.pi / self.omega[1]
    wrapped = _UPPER(self, epsilon - window / 12)
    return bound._replace(delta=max(bound.delta - math.exp(-self.theta * window / 12) * wrapped.delta, 1e-300))


def _naive(model, log_delta):
    tilt = _EPSILON(model, log_delta)
    return tilt._replace(bound=tilt.bound * 0.8)


def _best(ways):
    return min(ways, key=lambda values: min(values.values()))


def _chain(self, k):
    return Repeated(self, k)


def _halved(loss):
    return "range", (float(loss.epsilon) / 2,)


def _squared(self, model, mu2, window):
    _LAY(self, model, mu2, window)
    z = self.theta + 1j * self.omega
    self.terms, self.slopes = self.terms * (z + 1) / (z + 2), self.slopes * (z + 1) / (z + 2)


@pytest.mark.parametrize("bug", _BUGS)
def test_each_planted_bug_is_seen(truth, battery, monkeypatch, bug):
    _BUGS[bug](monkeypatch)
    with np.errstate(all="ignore"):
        try:
            wrong = verdict(truth, battery)
        except (ValueError, FloatingPointError, IndexError) as error:
            wrong = [repr(error)]
    assert wrong


@pytest.mark.parametrize("factor", [0.3, 0.1])
def test_wrap_around_never_takes_anything_away(truth, battery, monkeypatch, factor):
    """With far too narrow a window the account is loose, never below the truth."""
    real = contour.window_at
    monkeypatch.setattr(contour, "window_at", lambda *args: factor * real(*args))
    for case, asked, exact, _ in battery:
        name, delta = asked if isinstance(asked, tuple) else (None, asked)
        losses = case() if callable(case) else case
        assert truth.number(account(losses, delta=delta, bound=name).epsilon) >= exact
