"""Keys that could not be declared: the exact delta, over all neighbours; bounds on keys; planted thresholds."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import cache

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import pets
from pets.csprng import InsecureRandom
from pets.dp.key_sets import KeyCounts, KeyRelease, ThresholdedCounts, shown
from pets.errors import BudgetExceeded, ConfigError, DataError, IncompatibleTallies, InvalidArgument, PairingRefused
from pets.noise import DiscreteLaplaceLaw

KEYS = ("k1", "k2", "k3")
FAR = 200


def unit(relation="add_remove"):
    return pets.PrivacyUnit(id="who", neighbours=relation)


@cache
def law_of_key(count: int, threshold: int, scale: float) -> np.ndarray:
    """P(hidden), P(threshold), P(threshold + 1), ...: sums of positive doubles, the tail lumped into the last."""
    a = math.exp(-1 / scale)
    values = np.arange(threshold, threshold + FAR)
    p = (1 - a) / (1 + a) * a ** np.abs(values - count)
    if count == 0:
        return np.concatenate([[1.0], np.zeros(FAR)])
    reach = threshold - count
    hidden = a ** (1 - reach) / (1 + a) if reach <= 0 else 1 - a**reach / (1 + a)
    p[-1] /= 1 - a
    return np.concatenate([[hidden], p])


def leftover(first, second, epsilon: float, threshold: int, scale: float) -> float:
    """Return the smallest delta for which (epsilon, delta) holds from `first` to `second`, exactly.

    A key that is the same in both cancels, and keys are independent. So only keys that change matter.
    """
    changed = [(c, d) for c, d in zip(first, second, strict=True) if c != d]
    p, q = np.ones(1), np.ones(1)
    for c, d in changed:
        p = np.outer(p, law_of_key(c, threshold, scale)).reshape(-1)
        q = np.outer(q, law_of_key(d, threshold, scale)).reshape(-1)
    return float(np.maximum(p - math.exp(epsilon) * q, 0).sum())


def pairs(relation: str, keys_per_unit: int):
    subsets = [s for n in range(keys_per_unit + 1) for s in itertools.product((0, 1), repeat=2) if sum(s) == n]
    for base in itertools.product(range(3), repeat=2):
        for mine in subsets:
            for yours in subsets if relation == "replace_one" else [(0, 0)]:
                yield (
                    tuple(b + m for b, m in zip(base, mine, strict=True)),
                    tuple(b + y for b, y in zip(base, yours, strict=True)),
                )


def worst(epsilon, threshold, scale, relation, keys) -> float:
    return max(
        max(leftover(a, b, epsilon, threshold, scale), leftover(b, a, epsilon, threshold, scale))
        for a, b in set(pairs(relation, keys))
    )


SETTINGS = [
    (epsilon, delta, relation, keys)
    for epsilon in (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
    for delta in ("0.2", "0.1", "0.01", "1e-4", "1e-7")
    for relation in ("add_remove", "replace_one")
    for keys in (1, 2)
]


def test_delta_is_exact_over_a_thousand_parameter_sets_with_all_neighbours():
    sets = 0
    for epsilon, delta, relation, keys in SETTINGS:
        mechanism = ThresholdedCounts(epsilon, delta)
        threshold, law = mechanism.threshold(unit(relation), keys), mechanism.law(unit(relation), keys)
        found = worst(epsilon, threshold, float(law.scale), relation, keys)
        sets += len({second for _, second in pairs(relation, keys)})  # one more table of counts is one more set
        assert found <= float(delta) * (1 + 1e-9)
        # what is stated is attained by a unit whose keys nobody else has, and the threshold is the smallest
        assert found == pytest.approx(float(shown(law, threshold, keys)), rel=1e-9)
        assert threshold == 2 or shown(law, threshold - 1, keys) > Fraction(delta)
    assert sets >= 1000


@pytest.mark.parametrize(("relation", "keys"), [("add_remove", 1), ("add_remove", 2), ("replace_one", 2)])
def test_planted_threshold_off_by_one_is_seen(relation, keys):
    mechanism = ThresholdedCounts(1, "0.01")
    threshold, law = mechanism.threshold(unit(relation), keys), mechanism.law(unit(relation), keys)
    assert worst(1.0, threshold - 1, float(law.scale), relation, keys) > 0.01


def test_planted_halved_delta_is_seen():
    """Mutant: the threshold of twice the delta (as when a two-sided tail is halved once too often)."""
    law = ThresholdedCounts(1, "0.01").law(unit(), 1)
    threshold = ThresholdedCounts(1, "0.02").threshold(unit(), 1)
    assert worst(1.0, threshold, float(law.scale), "add_remove", 1) > 0.01


def test_planted_forgotten_keys_are_seen():
    """Mutants: noise, or delta, for one key where a unit has two; replace-one taken for add/remove."""
    two = ThresholdedCounts(1, "0.01")
    threshold = two.threshold(unit(), 2)
    for scale, relation in ((1.0, (39, 39)), (1.0, (39, 41))):  # scale of one key; of add/remove
        assert leftover((40, 40), relation, 1.0, threshold + 20, scale) > 0.01
    scale = float(two.law(unit(), 2).scale)
    lone = next(t for t in range(2, 99) if shown(DiscreteLaplaceLaw(Fraction(2)), t, 1) <= Fraction(1, 100))
    assert worst(1.0, lone, scale, "add_remove", 2) > 0.01


def test_each_unit_counts_for_its_first_keys_only_and_once_each():
    frame = pd.DataFrame({"who": [1, 1, 1, 1, 2, 2, 3, None], "dx": ["b", "b", "a", "c", "b", None, "z", "q"]})
    assert KeyCounts.of(frame, "dx", unit()).counts == {"a": 1, "b": 1, "z": 1}
    assert KeyCounts.of(frame, "dx", unit(), 2).counts == {"a": 1, "b": 2, "z": 1}
    assert KeyCounts.of(pl.from_pandas(frame).lazy(), "dx", unit(), 2).counts == {"a": 1, "b": 2, "z": 1}
    assert KeyCounts.of(frame, "dx", pets.PrivacyUnit()).counts == {"a": 1, "b": 3, "c": 1, "q": 1, "z": 1}
    assert "b" not in repr(KeyCounts.of(frame, "dx", unit())).replace("KeyCounts", "")


def test_one_unit_moves_at_most_its_keys():
    """Brute force over small data sets: adding all rows of one unit changes at most `keys_per_unit` counts, by one."""
    rows = list(itertools.product((1, 2), "abc"))
    for mine in itertools.combinations([("me", k) for k in "abc"], 2):
        for others in itertools.combinations(rows, 3):
            for most in (1, 2):
                without = pd.DataFrame(others, columns=["who", "dx"]).astype(str)
                with_me = pd.DataFrame([*others, *mine], columns=["who", "dx"]).astype(str)
                a, b = (KeyCounts.of(f, "dx", unit(), most).counts for f in (without, with_me))
                change = [b.get(k, 0) - a.get(k, 0) for k in "abc"]
                assert set(change) <= {0, 1}
                assert sum(change) == most


def test_sites_add_up_and_differences_are_refused():
    one, two = (KeyCounts({"a": n, f"s{n}": 1}, "dx", unit(), 1) for n in (2, 3))
    assert (one + two).counts == {"a": 5, "s2": 1, "s3": 1}
    with pytest.raises(IncompatibleTallies):
        one + KeyCounts({"a": 1}, "dx", unit(), 2)


def test_release_shows_frequent_keys_and_hides_lone_ones():
    counts = KeyCounts({"rare": 1, "common": 500, "none": 0}, "dx", unit(), 1)
    mechanism = ThresholdedCounts(1, "1e-6")
    found = mechanism.release(counts)
    assert set(found.values) == {"common"}
    assert found.threshold == 15  # 1 + ln(1e6 / (1 + 1/e)) rounded up
    columns = found.to_columns()
    assert columns["ci_low"][0] <= 500 <= columns["ci_high"][0] or abs(columns["value"][0] - 500) < 20
    assert KeyRelease.from_json(found.to_json()) == found
    assert "15 or more" in found.explain()[1]
    often = KeyCounts({"k": found.shown_from(0.9)}, "dx", unit(), 1)
    assert sum("k" in mechanism.release(often).values for _ in range(400)) >= 0.83 * 400


def test_lone_keys_are_shown_as_often_as_delta():
    mechanism, source = ThresholdedCounts(1, "0.05"), InsecureRandom(insecure_seed=4)
    counts = KeyCounts({f"k{i}": 1 for i in range(20_000)}, "dx", unit(), 1)
    law = mechanism.law(unit(), 1)
    expected = float(shown(law, mechanism.threshold(unit(), 1), 1))
    seen = len(mechanism._release(counts, source).values) / 20_000
    assert abs(seen - expected) < 5 * math.sqrt(expected / 20_000)


def test_the_ledger_is_charged_first(tmp_path):
    counts = KeyCounts({"a": 100}, "dx", unit(), 1)
    with pets.Ledger(tmp_path / "book.sqlite", limit=pets.ApproxDP(1, "1e-6")) as ledger:
        first = ThresholdedCounts(1, "1e-6").publish(counts, ledger=ledger)
        assert ThresholdedCounts(1, "1e-6").publish(counts, ledger=ledger) == first
        with pytest.raises(BudgetExceeded):
            ThresholdedCounts(1, "1e-6").publish(counts, ledger=ledger, repeat="2")


def test_what_does_not_fit_is_refused():
    frame = pd.DataFrame({"who": [1], "dx": ["a"]})
    with pytest.raises(DataError):
        KeyCounts.of(frame, "nothing", unit())
    with pytest.raises(InvalidArgument):
        KeyCounts.of([1], "dx", unit())
    with pytest.raises(InvalidArgument):
        KeyCounts.of(frame, "dx", unit(), 0)
    with pytest.raises(InvalidArgument):
        KeyCounts.of(frame, "dx", pets.PrivacyUnit(), 2)
    with pytest.raises(PairingRefused):
        ThresholdedCounts(1, "0.1").threshold(pets.PrivacyUnit(id="who", max_sites=2), 1)
    for bad in ((0, "0.1"), (1, 0), (1, 1), (1, "1e-60")):
        with pytest.raises(InvalidArgument):
            ThresholdedCounts(*bad)
    for text in ("", "{}", "[]", '{"format": "pets-keys"}'):
        with pytest.raises(ConfigError):
            KeyRelease.from_json(text)


def test_rows_whose_identifier_is_not_a_number_are_nobodys():
    """NaN is unequal to itself: each such row would count as a unit of its own, beyond the keys of one unit."""
    frame = pl.DataFrame({"who": [float("nan")] * 3 + [1.0], "key": ["x", "y", "z", "w"]})
    assert KeyCounts.of(frame, "key", pets.PrivacyUnit("who")).counts == {"w": 1}


def in_duckdb(rows):
    """A table with a collation by which upper and lower case are one."""
    con = duckdb.connect()
    con.execute("create table t (who varchar collate nocase, key varchar collate nocase)")
    con.executemany("insert into t values (?, ?)", list(zip(rows["who"], rows["key"], strict=True)))
    return con.table("t")


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, in_duckdb], ids=["pandas", "polars", "duckdb"])
def test_texts_that_pandas_or_a_collation_take_for_one_are_told_apart(kind):
    """One patient whose identifier comes first took the keys of all whose identifiers agree with it up to a NUL."""
    rows = {"who": ["p", *(f"p\0{i}" for i in range(9)), "P"], "key": ["x"] * 10 + ["X"]}
    assert KeyCounts.of(kind(rows), "key", unit(), 1).counts == {"x": 10, "X": 1}
