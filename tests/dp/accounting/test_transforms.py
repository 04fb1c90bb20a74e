"""Closed forms and their stated rounding errors against sums and integrals with 50 digits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pets.dp.accounting.theta import DiscreteGaussian
from pets.dp.accounting.transforms import BoundedRange, DiscreteLaplace, Laplace, TwoPoints, power

ONE = np.ones(1)
OMEGA = np.arange(160) * 1.75
LOOK = (0, 1, 7, 64, 65, 159)


def compare(mp, transform, mgf) -> None:
    for theta in (0.3, 5.0, 60.0, 700.0):
        line = transform.line(theta, OMEGA)
        at = mgf(mp.mpc(theta, 0))
        assert abs(mp.log(at.real) - line.log) <= line.log_error
        for i in LOOK:
            exact = mgf(mp.mpc(theta, OMEGA[i])) / at
            assert abs(exact - mp.mpc(complex(line.phi[i]))) <= line.phi_error[i]


def summed(mp, law):
    return lambda z: mp.fsum(p * mp.exp(z * loss) for loss, p in law.items())


@pytest.mark.parametrize("epsilon", [1e-6, 0.03, 0.7, 9.0])
def test_two_points(truth, epsilon):
    compare(truth.mp, TwoPoints(np.array([[epsilon, 0, 0]]), ONE), summed(truth.mp, truth.two_points(epsilon)))
    compare(truth.mp, TwoPoints(np.array([[epsilon, 3, 0]]), ONE), summed(truth.mp, truth.two_points(epsilon, 5)))


@pytest.mark.parametrize(("step", "change"), [(0.3, 4), (0.01, 7), (2.0, 3), (1e-5, 3)])
def test_discrete_laplace(truth, step, change):
    law = truth.discrete_laplace(1 / Fraction(str(step)), change)
    compare(truth.mp, DiscreteLaplace(np.array([[step, change]]), ONE), summed(truth.mp, law))


@pytest.mark.parametrize(("sigma2", "change"), [(0.04, 1), (0.24, 2), (0.26, 1), (0.5, 1), (2.0, 3)])
def test_discrete_gaussian(truth, sigma2, change):
    mp, s2 = truth.mp, truth.number(sigma2)

    def mgf(z):
        centre = -int(z.real * change)
        points = range(centre - 40, centre + 41)
        weights = [
            mp.exp(-(mp.mpf(x) ** 2) / (2 * s2) + z * change * (change - 2 * mp.mpf(x)) / (2 * s2)) for x in points
        ]
        whole = mp.fsum(mp.exp(-(mp.mpf(x) ** 2) / (2 * s2)) for x in range(-40, 41))
        return mp.fsum(weights) / whole

    compare(mp, DiscreteGaussian(np.array([sigma2]), np.array([float(change)]), ONE), mgf)


@pytest.mark.parametrize("epsilon", [1e-6, 0.03, 0.7, 9.0])
def test_densities_of_laplace_and_bounded_range(truth, epsilon):
    mp, e = truth.mp, truth.number(epsilon)

    def laplace(z):
        inner = (mp.exp(z * e) - mp.exp(-(z + 1) * e)) / (2 * (2 * z + 1))
        return (mp.exp(z * e) + mp.exp(-(z + 1) * e)) / 2 + inner

    def ranged(z):
        return (mp.exp((z + 0.5) * e) - mp.exp(-(z + 0.5) * e)) / ((2 * z + 1) * (mp.exp(e / 2) - mp.exp(-e / 2)))

    # the integrals behind the two lines above, once
    z = mp.mpc(2, 3)
    direct = mp.quad(lambda x: e / 2 * mp.exp(-e * x + z * e * (1 - 2 * x)), [0, 1])
    assert abs(direct - (mp.exp(z * e) - mp.exp(-(z + 1) * e)) / (2 * (2 * z + 1))) < 1e-30
    direct = mp.quad(lambda x: mp.exp(x * (z + 0.5)), [-e, e]) * mp.exp(e / 2) / (2 * mp.expm1(e))
    assert abs(direct - ranged(z)) < 1e-30
    compare(mp, Laplace(np.array([[epsilon]]), ONE), laplace)
    compare(mp, BoundedRange(np.array([[epsilon]]), ONE), ranged)


def test_power_by_squaring():
    values = np.exp(1j * np.linspace(0, 6, 50)) * np.linspace(0.5, 1, 50)
    assert np.allclose(power(values, 1000), values**1000, rtol=1e-11, atol=1e-300)
    assert np.array_equal(power(values, 1), values)
