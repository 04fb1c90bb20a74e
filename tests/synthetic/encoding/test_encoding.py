"""Codes and back: what is declared comes through, what is not is never learnt, what cannot be does not occur."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pets
from pets.csprng import random_source
from pets.errors import DataError, InvalidArgument
from pets.synthetic import Survival
from pets.synthetic.encoding import Encoding
from tests.synthetic.support import SURVIVAL, every_row, small_domain, small_rows


def test_codes_survive_being_written_out():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    codes = every_row(encoding)
    fitting = codes[:, ~late(encoding, codes)]
    again = encoding.encode(encoding.decode(fitting, random_source(1)))
    np.testing.assert_array_equal(again, fitting)


def late(encoding: Encoding, codes: np.ndarray) -> np.ndarray:
    """Rows whose second clock may be cut at the bound, and hence fall into an earlier bin."""
    clock, gap = encoding.names.index("relapse_time"), encoding.names.index("death_time")
    return (codes[clock] > 0) & (codes[gap] > 1)


def test_no_row_breaks_a_rule_or_has_clocks_in_the_wrong_order():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    rows = encoding.decode(np.repeat(every_row(encoding), 20, axis=1), random_source(2))
    assert not ((rows.site == "brain") & (rows.stage != "I")).any()
    assert (rows.death_time >= rows.relapse_time).all()
    assert (rows.death_time[rows.relapse == "no"] == rows.relapse_time[rows.relapse == "no"]).all()
    assert rows.death_time.max() <= 10 and rows.relapse_time.min() >= 0


def test_rows_that_break_a_rule_or_a_policy_do_not_count():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    good = small_rows(30)
    wrong = good.head(3).assign(site="brain", stage="III")
    unknown = good.head(2).assign(stage="V")
    assert encoding.encode(pd.concat([good, wrong, unknown])).shape[1] == encoding.encode(good).shape[1] == 30


def test_types_follow_from_the_domain_and_not_from_the_rows():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    codes = every_row(encoding)
    kinds = [dict(encoding.decode(codes[:, [i]], random_source(1)).dtypes) for i in (0, codes.shape[1] - 1)]
    assert kinds[0] == kinds[1]


def test_at_most_so_many_rows_of_a_unit_count_whatever_their_order():
    domain = small_domain(id="patient_id", max_rows=2)
    rows = small_rows(40).assign(patient_id=np.arange(40) // 5)
    encoding = Encoding.of(domain, SURVIVAL)
    first = encoding.encode(rows)
    assert first.shape[1] == 16
    again = encoding.encode(rows.sample(frac=1, random_state=1))
    np.testing.assert_array_equal(np.sort(first, axis=1), np.sort(again, axis=1))
    lost_ids = encoding.encode(rows.assign(patient_id=None))
    assert lost_ids.shape[1] == 2


def test_numbers_without_bins_get_a_public_grid():
    domain = pets.Domain(weight=pets.Numeric(0, 100, resolution="0.1"), day=pets.Integer(0, 10**6))
    encoding = Encoding.of(domain)
    assert encoding.sizes == (32, 32)
    rows = pd.DataFrame({"weight": [0.0, 99.9, 100.0], "day": [0, 5, 10**6]})
    codes = encoding.encode(rows)
    assert codes.tolist() == [[0, 31, 31], [0, 0, 31]]
    written = encoding.decode(codes, random_source(1))
    assert ((written.weight * 10).round() == written.weight * 10).all() and written.day.dtype == "int64"


def test_a_column_of_nothing_is_missing_or_dropped_as_declared():
    rows = small_rows(20).assign(site=None)
    assert (Encoding.of(small_domain(), SURVIVAL).encode(rows)[0] == 3).all()
    dropped = small_domain().replace(site=["brain", "kidney", "liver"])
    assert Encoding.of(dropped, SURVIVAL).encode(rows).shape == (6, 0)


def test_a_missing_first_clock_leaves_what_follows_unknown():
    time = pets.Integer(0, 10, bins=[0, 5, 10], invalid="category")
    domain = pets.Domain(a=time, e=["no", "yes"], b=time, dead=["no", "yes"])
    encoding = Encoding.of(domain, [Survival("a", "e"), Survival("b", "dead", after="a")])
    rows = pd.DataFrame({"a": [None, 3.0, 3.0], "e": ["yes"] * 3, "b": [4.0, None, 9.0], "dead": ["no"] * 3})
    codes = encoding.encode(rows)
    assert codes[2].tolist() == [3, 3, 2]
    written = encoding.decode(codes, random_source(1))
    assert written.b.isna().tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("survival", "argument"),
    [
        ([Survival("time", "relapse")], "survival.0.time"),
        ([Survival("relapse", "dead")], "survival.0.time"),
        ([Survival("relapse_time", "death_time")], "survival.0.event"),
        ([Survival("relapse_time", "relapse", by=["grade"])], "survival.0.by"),
        ([Survival("relapse_time", "relapse"), Survival("relapse_time", "dead")], "survival.1.time"),
        ([Survival("relapse_time", "relapse", after="death_time")], "survival"),
        (["relapse_time"], "survival"),
    ],
)
def test_survivals_that_do_not_fit_are_refused(survival: list[Survival], argument: str):
    with pytest.raises(InvalidArgument) as error:
        Encoding.of(small_domain(), survival)
    assert error.value.argument == argument


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pets.Numeric(0, 10, resolution="0.1"), pets.Integer(0, 10)),
        (pets.Integer(0, 100), pets.Integer(0, 50)),
        (pets.Integer(0, 100), pets.Integer(20, 150)),
        (pets.Date("2000-01-01", "2010-01-01"), pets.Integer(0, 100)),
    ],
)
def test_a_clock_that_cannot_stop_where_the_one_before_it_does_is_refused(
    first: pets.Attribute, second: pets.Attribute
):
    """Rounded, or cut at its bound, it would end before; every other pair of clocks keeps its order."""
    domain = pets.Domain(start=pets.Date("2000-01-01", "2010-01-01"), a=first, e=["no", "yes"], b=second, dead=[0, 1])
    origin = "start" if isinstance(first, pets.Date) else None
    with pytest.raises(InvalidArgument) as error:
        Encoding.of(domain, [Survival("a", "e", origin=origin), Survival("b", "dead", after="a")])
    assert error.value.argument == "survival.1.after"


def test_a_finer_and_a_longer_clock_may_follow():
    domain = pets.Domain(
        a=pets.Integer(0, 10, bins=[0, 4, 10]), e=["no", "yes"], b=pets.Numeric(-1, 12, resolution="0.25"), dead=[0, 1]
    )
    encoding = Encoding.of(domain, [Survival("a", "e"), Survival("b", "dead", after="a")])
    rows = encoding.decode(np.repeat(every_row(encoding), 10, axis=1), random_source(3))
    assert (rows.b >= rows.a).all() and (rows.b[rows.e == "no"] == rows.a[rows.e == "no"]).all()


def test_patients_that_are_lists_are_refused_by_the_name_of_their_column():
    domain = small_domain(id="patient_id", max_rows=2)
    with pytest.raises(DataError, match="patient_id"):
        Encoding.of(domain, SURVIVAL).encode(small_rows(4).assign(patient_id=[[1], [2], [3], [4]]))


def test_rules_that_leave_nothing_are_refused():
    domain = pets.Domain(a=["x", "y"], b=["u", "v"], c=["p", "q"], impossible=[
        {"a": "x", "b": "u"}, {"a": "x", "b": "v"}, {"a": "y", "c": "p"}, {"a": "y", "c": "q"}])  # fmt: skip
    with pytest.raises(InvalidArgument, match="no possible row"):
        Encoding.of(domain)


def test_a_rule_about_a_clock_that_follows_another_is_refused():
    domain = small_domain()
    ruled = pets.Domain(dict(domain.attributes), impossible=[{"death_time": "[0, 1)", "dead": 1}])
    with pytest.raises(InvalidArgument, match="after another"):
        Encoding.of(ruled, SURVIVAL)


def test_columns_outside_the_domain_are_refused_and_missing_ones_named():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    with pytest.raises(InvalidArgument, match="does not declare"):
        encoding.encode(small_rows(5).assign(postcode="AB1"))
    with pytest.raises(DataError, match="stage"):
        encoding.encode(small_rows(5).drop(columns="stage"))


@pytest.mark.parametrize("arguments", [("", "e"), ("t", 3), ("t", "t"), ("t", "e", "t"), ("t", "e", None, "x")])
def test_survival_checks_its_names(arguments: tuple[object, ...]):
    with pytest.raises(InvalidArgument):
        Survival(*arguments)  # type: ignore[arg-type]
