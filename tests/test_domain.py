"""Domain: lookups, structural zeros, derived domains, equality and signature."""

from __future__ import annotations

import copy
import itertools
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.domain import Categorical, Domain, Integer, KeyAxis, Numeric
from pets.errors import InvalidArgument
from pets.privacy_unit import PrivacyUnit

SITES = ["Brain", "Ovary", "Prostate", "Testis"]
MALE_ONLY = {"sex": "female", "site": ["Prostate", "Testis"]}
FEMALE_ONLY = {"sex": "male", "site": "Ovary"}


def registry(**changes) -> Domain:
    given = {
        "sex": ["female", "male"],
        "site": Categorical(SITES, hierarchy={"group": {"brain": ["Brain"], "germ": ["Prostate", "Testis", "Ovary"]}}),
        "age": Integer(0, 19, bins=[0, 5, 10, 15, 19], invalid="category"),
        "dose": Numeric(0, 50, resolution="0.1"),
        "impossible": [MALE_ONLY, FEMALE_ONLY],
    }
    return Domain(**(given | changes))


def refused(make, *args, **kwargs) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        make(*args, **kwargs)
    str(caught.value).encode()
    return caught.value


# Looking things up


def test_lookups():
    domain = registry()
    assert domain.names == tuple(domain) == tuple(domain.attributes) == ("sex", "site", "age", "dose")
    assert len(domain) == 4
    assert "sex" in domain
    assert "Sex" not in domain
    assert domain["sex"] == Categorical(["female", "male"])
    assert domain.unit == PrivacyUnit()
    assert domain.impossible == (
        {"sex": ("female",), "site": ("Prostate", "Testis")},
        {"sex": ("male",), "site": ("Ovary",)},
    )
    error = refused(lambda: domain["aeg"])
    assert error.argument == "name"
    assert "Did you mean 'age'?" in str(error)
    assert len(Domain()) == 0


def test_nothing_can_be_changed():
    domain = registry()
    with pytest.raises(FrozenInstanceError):
        domain.unit = PrivacyUnit(id="x")
    with pytest.raises(TypeError):
        domain.attributes["sex"] = Categorical(["x"])
    domain.impossible[0]["sex"] = ("male",)
    assert domain == registry()


def test_names_from_mapping_and_keywords():
    domain = Domain({"unit": ["a"], "ICD-O 3": ("b",)}, stage=range(1, 5))
    assert domain.names == ("unit", "ICD-O 3", "stage")
    assert domain["stage"].key_labels == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"attributes": ["a"]}, "attributes"),
        ({"attributes": {"": ["a"]}}, "attributes"),
        ({"attributes": {3: ["a"]}}, "attributes.3"),
        ({"attributes": {"a\n": ["a"]}}, "attributes.a\\n"),
        ({"attributes": {"\ud800": ["a"]}}, "attributes.\\ud800"),
        ({"attributes": {"\u00e9": ["a"], "e\u0301": ["a"]}}, "attributes.e\u0301"),
        ({"attributes": {"a": ["a"]}, "a": ["a"]}, "attributes.a"),
        ({"sex": "female"}, "attributes.sex"),
        ({"sex": {"a", "b"}}, "attributes.sex"),
        ({"sex": Categorical}, "attributes.sex"),
        ({"sex": ["a", "a"]}, "attributes.sex.categories.1"),
        ({"sex": []}, "attributes.sex.categories"),
        ({"unit": ["a"]}, "unit"),
        ({"unit": None}, "unit"),
        ({"name": 3}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"declared_by": None}, "declared_by"),
        ({"unit": PrivacyUnit(id="sex"), "sex": ["a"]}, "attributes.sex"),
        ({"unit": PrivacyUnit(id="a\n")}, "unit.id"),
    ],
)
def test_bad_domains(arguments, argument):
    assert refused(Domain, **arguments).argument == argument


def test_key_axis():
    domain = registry()
    age = ("0-4", "5-9", "10-14", "15-19", "(unknown)")
    assert domain.key_axis("age") == KeyAxis("age", None, age, (0, 1, 2, 3, 4))
    assert domain.key_axis("site", "group") == KeyAxis("site", "group", ("brain", "germ"), (0, 1, 1, 1))
    with_unknown = registry(
        site=Categorical(SITES, invalid="category", hierarchy={"h": {"x": SITES[2:], "y": SITES[:2]}})
    )
    assert with_unknown.key_axis("site", "h") == KeyAxis("site", "h", ("y", "x", "(unknown)"), (0, 0, 1, 1, 2))
    assert refused(domain.key_axis, "dose").argument == "attributes.dose.bins"
    assert refused(domain.key_axis, "site", "grop").argument == "attributes.site.level"
    assert refused(domain.key_axis, "site", ["group"]).argument == "attributes.site.level"
    assert refused(domain.key_axis, "stie").argument == "name"


# Structural zeros


def test_possible_by_hand():
    domain = registry()
    by_sex_and_site = [[True, True, False, False], [True, False, True, True]]
    assert domain.possible(["sex", "site"]).tolist() == by_sex_and_site
    assert domain.possible(["site", "sex"]).tolist() == np.transpose(by_sex_and_site).tolist()
    assert domain.possible(["site"]).all()
    assert domain.possible(["sex", "age"]).shape == (2, 5)
    assert domain.possible([]).tolist() is True
    cube = domain.possible(("site", "age", "sex"))
    assert cube.shape == (4, 5, 2)
    assert (cube == np.transpose(by_sex_and_site)[:, None, :]).all()


def test_possible_at_a_coarser_level():
    domain = registry()
    assert domain.possible(["sex", "site"], {"site": "group"}).tolist() == [[True, True], [True, True]]
    no_germ = Domain(
        sex=["female", "male"],
        site=Categorical(SITES, invalid="category", hierarchy={"g": {"b": ["Brain"], "o": SITES[1:]}}),
        impossible=[{"sex": "female", "site": SITES[1:]}],
    )
    assert no_germ.possible(["site", "sex"], {"site": "g"}).tolist() == [[True, True], [False, True], [True, True]]


def test_possible_refuses():
    domain = registry()
    assert refused(domain.possible, "sex").argument == "by"
    assert refused(domain.possible, None).argument == "by"
    assert refused(domain.possible, ["sex", "sex"]).argument == "by"
    assert refused(domain.possible, ["sexx"]).argument == "name"
    assert refused(domain.possible, [["sex"]]).argument == "name"
    assert refused(domain.possible, ["dose"]).argument == "attributes.dose.bins"
    assert refused(domain.possible, ["sex"], {"site": "group"}).argument == "levels"
    assert refused(domain.possible, ["sex"], 3).argument == "levels"
    large = Domain({name: Integer(1, 10**5) for name in "ab"})
    assert refused(large.possible, ["a", "b"]).argument == "by"


@st.composite
def domains_with_rules(draw):
    sizes = draw(st.lists(st.integers(2, 4), min_size=1, max_size=4))
    attributes = {
        f"a{i}": Categorical([f"{k}" for k in range(size)], invalid=draw(st.sampled_from(["drop", "category"])))
        for i, size in enumerate(sizes)
    }
    rules = []
    for _ in range(draw(st.integers(0, 4))):
        names = draw(st.lists(st.sampled_from(sorted(attributes)), min_size=1, unique=True))
        labels = {n: draw(st.lists(st.sampled_from(attributes[n].key_labels), min_size=1, unique=True)) for n in names}
        rules.append(labels)
    by = draw(st.lists(st.sampled_from(sorted(attributes)), unique=True))
    return attributes, rules, by


@given(domains_with_rules())
def test_possible_agrees_with_one_cell_at_a_time(case):
    attributes, rules, by = case
    try:
        domain = Domain(attributes, impossible=rules)
    except InvalidArgument as error:
        assert error.argument.startswith("impossible.")  # noqa: PT017  one of two allowed outcomes
        cells = itertools.product(*(a.key_labels for a in attributes.values()))
        whole = [dict(zip(attributes, cell, strict=True)) for cell in cells]
        assert not any(allowed(cell, rules, tuple(attributes)) for cell in whole)
        return
    found = domain.possible(by)
    axes = [attributes[name].key_labels for name in by]
    assert found.shape == tuple(len(axis) for axis in axes)
    for place in itertools.product(*(range(len(axis)) for axis in axes)):
        cell = {name: axis[i] for name, axis, i in zip(by, axes, place, strict=True)}
        assert found[place] == allowed(cell, rules, by)


def allowed(cell, rules, by) -> bool:
    return not any(set(rule) <= set(by) and all(cell[n] in labels for n, labels in rule.items()) for rule in rules)


@pytest.mark.parametrize(
    ("rules", "argument", "said"),
    [
        (MALE_ONLY, "impossible", "list"),
        ("x", "impossible", "list"),
        ([[]], "impossible.0", "map"),
        ([{}], "impossible.0", "map"),
        ([MALE_ONLY, {"sexx": "male"}], "impossible.1.sexx", "Did you mean 'sex'?"),
        ([{3: "male"}], "impossible.0.3", "attribute"),
        ([{"sex": "femal"}], "impossible.0.sex", "Did you mean 'female'?"),
        ([{"sex": ["male", "femal"]}], "impossible.0.sex", "'femal'"),
        ([{"sex": []}], "impossible.0.sex", "at least one"),
        ([{"sex": None}], "impossible.0.sex", "must be text"),
        ([{"sex": float("nan")}], "impossible.0.sex", "must be text"),
        ([{"sex": ["male", "male"]}], "impossible.0.sex", "once"),
        ([{"sex": {"male"}}], "impossible.0.sex", "must be text"),
        ([{"sex": "\ud800"}], "impossible.0.sex", "surrogate"),
        ([{"age": 3}], "impossible.0.age", "unknown label"),
        ([{"site": "(unknown)"}], "impossible.0.site", "unknown label"),
        ([{"dose": 3}], "impossible.0.dose", "bins"),
        ([{"sex": ["male", "female"]}], "impossible.0", "every row"),
        ([{"sex": "male"}, {"site": "Brain"}, {"sex": "female", "site": SITES}], "impossible.2.sex", "last label"),
    ],
)
def test_bad_rules(rules, argument, said):
    error = refused(registry, impossible=rules)
    assert error.argument == argument
    assert said in str(error)


def test_rules_tell_true_from_one():
    assert Domain(a=[True, False], impossible=[{"a": True}]).possible(["a"]).tolist() == [False, True]
    assert refused(Domain, a=[True, False], impossible=[{"a": 1}]).argument == "impossible.0.a"
    assert refused(Domain, a=[1, 0], impossible=[{"a": True}]).argument == "impossible.0.a"
    assert refused(Domain, a=[1, 0], impossible=[{"a": "1"}]).argument == "impossible.0.a"


def test_rules_may_name_the_label_of_invalid_values():
    domain = registry(impossible=[{"age": "(unknown)", "sex": "male"}])
    assert domain.possible(["age", "sex"])[-1].tolist() == [True, False]


# Deriving


def test_select_keeps_the_rules_it_can():
    part = registry().select(["site", "sex"])
    assert part.names == ("site", "sex")
    assert part.impossible == registry().impossible
    assert registry().select(["site"]).impossible == ()
    assert refused(registry().select, ["sexx"]).argument == "name"
    assert refused(registry().select, ["sex", "sex"]).argument == "names"
    assert refused(registry().select, "sex").argument == "names"
    assert refused(registry().select, [[]]).argument == "name"


def test_with_unit():
    unit = PrivacyUnit(id="patient_id", max_rows=2)
    assert registry().with_unit(unit).unit == unit
    assert registry().with_unit(unit).impossible == registry().impossible
    assert refused(registry().with_unit, "patient").argument == "unit"
    assert refused(registry().with_unit, PrivacyUnit(id="sex")).argument == "attributes.sex"


def test_replace():
    domain = registry(declared_by="A. Steward", name="n")
    other = domain.replace({"age": Integer(0, 14)})
    assert other["age"] == Integer(0, 14)
    assert other.names == domain.names
    assert (other.declared_by, other.name) == ("", "n")
    assert domain.replace(sex=["female", "male", "x"])["sex"].key_labels[-1] == "x"
    assert refused(domain.replace, agee=Integer(0, 14)).argument == "attributes.agee"
    assert refused(domain.replace, sex=["male"]).argument == "impossible.0.sex"


def test_rebin():
    domain = registry(impossible=[{"age": "0-4", "site": "Prostate"}, MALE_ONLY], declared_by="A. Steward")
    other = domain.rebin("age", [0, 10, 19])
    assert other["age"] == Integer(0, 19, bins=[0, 10, 19], invalid="category")
    assert other.impossible == (domain.impossible[1],)
    assert other.declared_by == "A. Steward"
    assert domain.rebin("dose", ["0", "2.5", 50])["dose"].key_labels == ("[0, 2.5)", "[2.5, 50]")
    assert refused(domain.rebin, "age", [0, 10]).argument == "bins.1"
    assert refused(domain.rebin, "sex", [0, 10]).argument == "name"
    assert refused(domain.rebin, "aeg", [0, 10]).argument == "name"


# Equality and signature


def test_equality_and_copies():
    domain = registry(unit=PrivacyUnit(id="pid"), name="n", declared_by="me")
    assert domain == registry(unit=PrivacyUnit(id="pid"), name="n", declared_by="me") != registry()
    assert copy.deepcopy(domain) == pickle.loads(pickle.dumps(domain)) == domain  # noqa: S301
    assert hash(copy.deepcopy(domain)) == hash(domain)
    assert domain != 3
    assert domain.select(domain.names[::-1]) == domain


def test_signature_is_pinned():
    """Stored tallies and ledgers refer to it: if this changes, so must the schema version."""
    assert registry(unit=PrivacyUnit(id="pid", max_rows=3)).signature == (
        "4c879b5764b13ebec1fa0ebb0f61884221adb171e296db6629f457768458d08c"
    )


CHANGES = [
    {"sex": ["male", "female"]},
    {"sex": Categorical(["female", "male"], invalid="category")},
    {"sex": Categorical(["female", "male"], invalid="error")},
    {"sex": Categorical(["female", "male"], hierarchy={"h": {"all": ["male", "female"]}})},
    {"age": Integer(0, 19, bins=[0, 5, 10, 14, 19], invalid="category")},
    {"age": Integer(0, 19, bins=[0, 5, 10, 15, 19], invalid="category", invalid_label="?")},
    {"age": Integer(0, 19, invalid="category")},
    {"dose": Numeric(0, 50, resolution="0.2")},
    {"dose": Numeric(0, 50, resolution="0.1", invalid="clamp")},
    {"dose": ["0"]},
    {"new": ["a"]},
    {"unit": PrivacyUnit(neighbours="replace_one")},
    {"unit": PrivacyUnit(id="pid")},
    {"unit": PrivacyUnit(max_sites=2)},
    {"impossible": [MALE_ONLY]},
]


def test_signature_tells_every_difference():
    signatures = [registry().signature, *(registry(**change).signature for change in CHANGES)]
    assert len(set(signatures)) == len(signatures)
    assert len({registry(), *(registry(**change) for change in CHANGES)}) == len(signatures)


def test_signature_ignores_titles_order_of_attributes_and_unicode_forms():
    assert registry(name="x", declared_by="y").signature == registry().signature
    assert registry().select(["age", "dose", "site", "sex"]).signature == registry().signature
    assert Domain({"\u00e9": ["\u00fc"]}).signature == Domain({"e\u0301": ["u\u0308"]}).signature
    assert Domain({"\u00e9": ["\u00fc"]}) != Domain({"e\u0301": ["u\u0308"]})


def test_true_and_one_differ():
    assert Domain(a=[True, False]) != Domain(a=[1, 0])
    assert Domain(a=[True, False]).signature != Domain(a=[1, 0]).signature


# Showing


def test_repr_is_short():
    assert (
        repr(registry())
        == "<Domain: sex (2), site (4), age 0 to 19 (4 bins), dose 0 to 50; protects one row added or removed>"
    )
    many = Domain({f"a{i}": [f"{k}" for k in range(1000)] for i in range(50)}, name="n")
    assert len(repr(many)) < 200


def test_html_is_escaped():
    page = Domain({"<script>": ["<b>", "&"]}, name="<i>", declared_by="<u>")._repr_html_()
    assert all(text not in page for text in ("<script>", "<b>", "<i>", "<u>"))
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;, &amp;" in page
    full = registry()._repr_html_()
    assert "0-4, 5-9, 10-14, 15-19" in full
    assert "in steps of 0.1" in full
    assert "a category: (unknown)" in full
    assert "group" in full
