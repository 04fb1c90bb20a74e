"""What a release says of itself: margins, pooling, pictures, and hostile documents."""

from __future__ import annotations

import contextlib
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.errors import ConfigError, InvalidArgument, PairingRefused, PetsError, UnrecordedReleaseWarning
from pets.noise import DiscreteLaplaceLaw
from pets.query import Measured
from pets.release import Release

pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")

DOMAIN = pets.Domain(sex=["female", "male"], age=["0-4", "5-9", "10-14"])
ROWS = pd.DataFrame({"sex": ["female", "male", "male"], "age": ["0-4", "5-9", "0-4"]})


def release(epsilon: float = 1, site: str = "FR") -> Release:
    query = pets.Count(by=["sex", "age"])
    return pets.Pipeline(query, DOMAIN, mechanism=pets.dp.DiscreteLaplace(epsilon=epsilon)).run({site: ROWS})


def test_a_margin_is_the_sum_of_its_cells_with_their_summed_noise():
    published = release()
    frame, total = published.to_frame(), published.margin()
    one = 2 * np.exp(-1) / (1 - np.exp(-1)) ** 2
    assert total["value"][0] == frame["value"].sum()
    assert total["stderr"][0] == pytest.approx(np.sqrt(6 * one), rel=1e-12)
    by_age = published.margin(["age"])
    assert by_age["value"].tolist() == frame.groupby("age", sort=False)["value"].sum().tolist()
    assert by_age["stderr"][0] == pytest.approx(np.sqrt(2 * one), rel=1e-12)


def test_a_margin_in_another_order_of_attributes_is_transposed():
    published = release()
    swapped = published.margin(["age", "sex"])
    frame = published.to_frame().set_index(["sex", "age"])["value"]
    for age, sex, value in zip(swapped["age"], swapped["sex"], swapped["value"], strict=True):
        assert frame[sex, age] == value


def test_margin_intervals_cover_at_the_stated_level():
    """Two thousand totals of six cells: the exact interval covers at least 90 %, and not all (it is not padded)."""
    domain = pets.Domain(sex=["female", "male"], age=["0-4", "5-9", "10-14"], group=[f"g{i}" for i in range(2000)])
    query = pets.Count(by=["group", "sex", "age"])
    empty = pd.DataFrame({"group": [], "sex": [], "age": []}, dtype=str)
    published = pets.Pipeline(query, domain, mechanism=pets.dp.DiscreteLaplace(epsilon="0.5")).run({"FR": empty})
    margin = published.margin(["group"], level=0.9)
    covered = np.mean((margin["ci_low"] <= 0) & (margin["ci_high"] >= 0))
    assert 0.9 - 4 * np.sqrt(0.09 / 2000) < covered < 0.945


def test_margins_skip_structural_zeros():
    domain = pets.Domain(sex=["f", "m"], site=["liver", "ovary"], impossible=[{"sex": "m", "site": "ovary"}])
    rows = pd.DataFrame({"sex": ["f"], "site": ["liver"]})
    published = pets.Pipeline(pets.Count(by=["sex", "site"]), domain, mechanism=pets.dp.DiscreteLaplace(1)).run(
        {"A": rows}
    )
    one = 2 * np.exp(-1) / (1 - np.exp(-1)) ** 2
    assert published.margin(["sex"])["stderr"] ** 2 == pytest.approx([2 * one, one])


def test_pooled_releases_add_values_and_variances():
    parts = [release(site=name) for name in ("FR", "UK", "US")]
    pooled = pets.pool(parts)
    assert pooled.parts[0].values.tolist() == np.sum([p.parts[0].values for p in parts], axis=0).tolist()
    assert pooled.to_frame()["stderr"][0] == pytest.approx(np.sqrt(3) * parts[0].to_frame()["stderr"][0])
    assert pooled.guarantee == pets.PureDP(1, unit=DOMAIN.unit)
    assert pooled.provenance.sites == ("FR", "UK", "US")


def test_pooling_refuses_what_cannot_be_added():
    with pytest.raises(InvalidArgument):
        pets.pool([])
    with pytest.raises(PairingRefused, match="share a site"):
        pets.pool([release(), release()])  # fifty draws of one site would average the noise away
    other = pets.Pipeline(pets.Count(by=["age"]), DOMAIN, mechanism=pets.dp.DiscreteLaplace(1)).run({"FR": ROWS})
    with pytest.raises(InvalidArgument, match="different questions"):
        pets.pool([release(), other])
    hidden = pets.Pipeline(pets.Count(by=["sex", "age"]), DOMAIN, mechanism=pets.disclosure.SuppressCells()).run(
        {"FR": ROWS}
    )
    with pytest.raises(PairingRefused):
        pets.pool([hidden, hidden])
    with pytest.raises(PairingRefused):
        hidden.margin()


def test_interval_follows_the_level():
    published = release()
    wide, narrow = published.to_frame(0.99), published.to_frame(0.5)
    assert ((wide["ci_high"] - wide["ci_low"]) > (narrow["ci_high"] - narrow["ci_low"])).all()
    for level in (0, 1, -1, 2, "x", True):
        with pytest.raises(InvalidArgument):
            published.to_frame(level)


def test_dropped_rows_are_counted_with_noise():
    rows = pd.DataFrame({"sex": ["female", "unknown", None], "age": ["0-4", "0-4", "5-9"]})
    published = pets.Pipeline(pets.Count(by=["sex", "age"]), DOMAIN, mechanism=pets.dp.DiscreteLaplace(500)).run(
        {"FR": rows}
    )
    assert published.dropped() == (2, 2, 2)
    assert "fitted no declared cell" in published._repr_html_()


def test_html_escapes_hostile_labels():
    domain = pets.Domain(site=["<script>alert(1)</script>", "b"])
    rows = pd.DataFrame({"site": ["b"]})
    html = (
        pets.Pipeline(pets.Count(by=["site"]), domain, mechanism=pets.dp.DiscreteLaplace(1))
        .run({"A": rows})
        ._repr_html_()
    )
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_plot_draws_every_cell():
    ax = release().plot()
    assert ax.get_yticklabels()[0].get_text() == "female, 0-4"
    assert len(release().plot(most=2).get_yticklabels()) == 2
    with pytest.raises(InvalidArgument):
        release().plot(most=0)


def test_repr_shows_no_confidential_total():
    query = pets.Count(by=["sex"]).bind(DOMAIN)
    tally = query.tally(pd.DataFrame({"sex": ["female"] * 7919}))
    assert "7919" not in repr(tally)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", UnrecordedReleaseWarning)
    DOCUMENT = json.loads(release().to_json())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "other"), (("version",), 2), (("query",), None), (("query", "type"), "nope"),
        (("query", "by"), ["nope"]),
        (("domain",), []), (("parts",), []), (("parts", 0, "values"), [1]), (("parts", 0, "values"), [1.5] * 7),
        (("parts", 0, "values"), [2**63] * 7), (("parts", 0, "law"), {"type": "nope"}),
        (("parts", 0, "law", "scale"), "-1"),
        (("parts", 0, "suppressed"), [99]), (("guarantees",), []), (("guarantees", 0, "epsilon"), "nan"),
        (("parts", 0, "law"), {"type": "none"}), (("parts", 0, "values"), [2**62] * 7),
        (("provenance", "sites"), "FR"), (("provenance", "extra"), 1),
    ],
)  # fmt: skip
def test_a_changed_document_is_refused_by_name(path, value):
    document = json.loads(json.dumps(DOCUMENT))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(ConfigError):
        Release.from_json(json.dumps(document))


@given(st.text() | st.binary())
def test_arbitrary_text_is_refused(text):
    with pytest.raises(PetsError):
        Release.from_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted(DOCUMENT)), value=JSON)
def test_any_value_at_any_top_key_raises_only_our_errors(key, value):
    document = dict(DOCUMENT) | {key: value}
    with contextlib.suppress(PetsError):
        Release.from_json(json.dumps(document))


@given(key=st.sampled_from(["values", "law", "suppressed", "hidden_range"]), value=JSON)
def test_any_value_inside_a_part_raises_only_our_errors(key, value):
    document = dict(DOCUMENT) | {"parts": [DOCUMENT["parts"][0] | {key: value}]}
    with contextlib.suppress(PetsError):
        Release.from_json(json.dumps(document))


def test_measured_interval_is_minimal_for_small_noise():
    """At epsilon 1 a count is within 2 with 92.7 %, within 3 with 97.3 %: the 95 % interval is 3, not a normal 2.7."""
    block = pets.Count(by=["sex"]).bind(DOMAIN).blocks[0]
    columns = Measured(block, np.zeros(3, dtype=np.int64), DiscreteLaplaceLaw(1)).columns(0.95)
    assert columns["ci_high"].tolist() == [3, 3]
    assert Measured(block, np.zeros(3, dtype=np.int64), DiscreteLaplaceLaw(1)).columns(0.92)["ci_high"].tolist() == [
        2,
        2,
    ]


def test_an_attribute_called_status_keeps_its_column():
    domain = pets.Domain(status=["alive", "died"], time=pets.Integer(0, 24, bins=[0, 12, 24]))
    rows = pd.DataFrame({"status": ["alive", "died"], "time": [3, 20]})
    mechanism = pets.dp.DiscreteLaplace(epsilon=300)
    for query in (pets.EventTable("time", "status"), pets.Marginals([["status"], ["status", "time"]])):
        frame = pets.Pipeline(query, domain, mechanism=mechanism).run({"A": rows}).to_frame()
        assert set(frame["status"]) == {"published"}
        assert {"alive", "died"} <= set(frame["status_key"])


def test_releases_are_equal_if_all_that_is_published_is_equal():
    one = release()
    again = Release.from_json(one.to_json())
    assert one == again and hash(one) == hash(again) and one in [again] and len({one, again}) == 1
    (part,) = one.parts
    other_value = Measured(part.block, part.values + 1, part.law)
    other_law = Measured(part.block, part.values, DiscreteLaplaceLaw(2))
    for parts in ((other_value,), (other_law,), (part, part)):
        assert one != Release(one.query, parts, one.guarantees, one.provenance)
    assert one != Release(one.query, one.parts, one.guarantees)
    assert one != Release(one.query, one.parts, (pets.PureDP(2, unit=DOMAIN.unit),), one.provenance)
    assert one != one.to_json() and one != 3


def test_reconstructed_and_structurally_empty_tables_compare_too():
    domain = pets.Domain(sex=["f", "m"], site=["liver", "ovary"], impossible=[{"sex": "m", "site": "ovary"}])
    query = pets.Count(["sex", "site"]).bind(domain)
    tally = pets.Tally(np.zeros(query.size, dtype=np.int64), query.signature)
    planner = pets.dp.ResidualPlanner(rho="0.5")
    one, other = planner.release(tally, query), planner.release(tally, query)
    assert one == Release.from_json(one.to_json()) and one != other


def test_a_margin_of_several_tables_says_where_to_look():
    age = pets.Categorical(["0-4", "5-9"], invalid="error")
    query = pets.Marginals([["sex", "age"], ["sex"]]).bind(pets.Domain(sex=["female", "male"], age=age))
    tally = pets.Tally(np.zeros(query.size, dtype=np.int64), query.signature)
    with pytest.raises(InvalidArgument, match=r"pets\.dp\.total_of"):
        pets.dp.ResidualPlanner(rho=1).release(tally, query).margin(["sex"])
    with pytest.raises(InvalidArgument, match="a table of its own"):
        pets.dp.DiscreteLaplace(1).release(tally, query).margin(["sex"])
