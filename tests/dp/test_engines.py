"""The two noise engines are interchangeable and agree in law."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from pets.dp.engines import InsecureEngine, NoiseEngine, OpenDPEngine, PetsEngine, engine
from pets.errors import InvalidArgument, MissingExtra

ENGINES = [PetsEngine(), OpenDPEngine(), InsecureEngine(3)]
each_engine = pytest.mark.parametrize("source", ENGINES, ids=lambda e: e.name)


@each_engine
def test_an_engine_fulfils_the_protocol(source):
    assert isinstance(source, NoiseEngine)
    for drawn in (source.discrete_laplace(Fraction(10, 3), 7), source.discrete_gaussian(Fraction(10, 3), 7)):
        assert drawn.dtype == np.int64
        assert drawn.shape == (7,)
    assert source.discrete_laplace(Fraction(1), 0).shape == (0,)


@each_engine
@pytest.mark.parametrize("method", ["discrete_laplace", "discrete_gaussian"])
def test_engines_refuse_the_same(source, method):
    argument = "scale" if method == "discrete_laplace" else "variance"
    too_wide = Fraction(2**40 if argument == "scale" else 2**80) + 1
    for bad in (Fraction(0), Fraction(-1), float("nan"), True, "x", too_wide):
        with pytest.raises(InvalidArgument) as caught:
            getattr(source, method)(bad, 3)
        assert caught.value.argument == argument
    for bad in (-1, 1.5, None, True):
        with pytest.raises(InvalidArgument) as caught:
            getattr(source, method)(Fraction(1), bad)
        assert caught.value.argument == "size"


@each_engine
def test_extreme_scales_work_everywhere(source):
    assert not source.discrete_laplace(Fraction(1, 10**400), 20).any()
    assert not source.discrete_gaussian(Fraction(1, 10**400), 20).any()
    assert np.abs(source.discrete_laplace(Fraction(2**40), 50)).max() > 2**38
    assert np.abs(source.discrete_gaussian(Fraction(2**80), 50)).max() > 2**38


@pytest.mark.parametrize("scale", [Fraction(10, 3), Fraction(3000)], ids=str)
@pytest.mark.parametrize("method", ["discrete_laplace", "discrete_gaussian"])
def test_engines_agree_in_law(method, scale):
    """In particular about what the parameter is: the variance, not sigma."""
    parameter = scale if method == "discrete_laplace" else scale**2
    n = 20_000
    samples = [np.abs(getattr(source, method)(parameter, n)) for source in ENGINES]
    for other in samples[1:]:
        assert stats.mannwhitneyu(samples[0], other).pvalue > 1e-6
        assert stats.levene(samples[0], other).pvalue > 1e-6
    wrong = np.abs(getattr(ENGINES[1], method)(parameter * Fraction(6, 5), n))  # the test can fail
    assert stats.mannwhitneyu(samples[0], wrong).pvalue < 1e-6


def test_opendp_never_gets_a_narrower_scale_than_asked_for(monkeypatch):
    given_scales: list[float] = []
    source = OpenDPEngine()

    def record(make, metric, scale, shape):
        given_scales.append(scale)
        return np.zeros(shape, dtype=np.int64)

    monkeypatch.setattr(source, "_draw", record)
    for number in (Fraction(1, 3), Fraction(10), Fraction(2, 10**9), Fraction(10**9 + 7, 11), Fraction(1, 2**1074)):
        source.discrete_laplace(number, 1)
        assert number <= Fraction(given_scales[-1]) <= max(number * (1 + Fraction(1, 2**51)), Fraction(1, 2**1074))
        source.discrete_gaussian(number, 1)
        assert number <= Fraction(given_scales[-1]) ** 2 <= max(number * (1 + Fraction(1, 2**50)), Fraction(1, 2**2000))
    source.discrete_gaussian(Fraction(9, 4), 1)
    assert given_scales[-1] == 1.5


def test_engines_by_name():
    assert engine("pets").name == "pets"
    assert engine("opendp").name == "opendp"
    assert engine("pets").secure
    assert engine("opendp").secure


@pytest.mark.parametrize("name", ["opendb", "PETS", "insecure", "", None, 3, []])
def test_an_unknown_name_is_refused_with_a_hint(name):
    with pytest.raises(InvalidArgument) as caught:
        engine(name)
    assert caught.value.argument == "engine"
    assert "'opendp'" in str(caught.value)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(MissingExtra) as caught:
        engine("opendp")
    assert caught.value.extra == "opendp"
    assert "pets[opendp]" in str(caught.value)


def test_the_insecure_engine_repeats_and_continues():
    one, two = InsecureEngine(1), InsecureEngine(1)
    first = one.discrete_laplace(Fraction(10), 200)
    assert np.array_equal(first, two.discrete_laplace(Fraction(10), 200))
    assert not np.array_equal(first, one.discrete_laplace(Fraction(10), 200))
    assert not one.secure


def test_the_default_engine_does_not_repeat():
    one = PetsEngine().discrete_laplace(Fraction(10), 200)
    assert not np.array_equal(one, PetsEngine().discrete_laplace(Fraction(10), 200))
