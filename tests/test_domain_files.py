"""Domains as TOML, JSON and plain data: round trips, and errors that name the key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pets.domain import Categorical, Date, Domain, Integer, Numeric
from pets.errors import ConfigError, InvalidArgument, PetsError
from pets.privacy_unit import PrivacyUnit

TOML = """
schema = 1
name = "Childhood cancer"
[unit]
id = "patient_id"
max_rows = 1
neighbours = "add_remove"
[attributes.diagnosis]
type = "categorical"
categories = ["Leukaemia", "Prostate"]
[attributes.diagnosis.hierarchy.main]
any = ["Leukaemia", "Prostate"]
[attributes.sex]
type = "categorical"
categories = ["female", "male"]
invalid = "error"
[attributes.age]
type = "integer"
lower = 0
upper = 19
bins = [0, 5, 10, 15, 19]
[attributes.dose]
type = "numeric"
lower = -0.5
upper = "3/2"
resolution = 0.1
invalid = "clamp"
[[impossible]]
diagnosis = "Prostate"
sex = "female"
"""

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
policies = st.sampled_from(["drop", "error", "category"])


@st.composite
def attributes(draw):
    invalid = draw(policies)
    kind = draw(st.integers(0, 3))
    if kind == 0:
        labels = draw(st.lists(texts, min_size=1, max_size=4) | st.lists(st.integers(-9, 9), min_size=1, max_size=4))
        hierarchy = draw(st.none() | st.just({"top": {"all": labels}}))
        return Categorical(labels, invalid=invalid, hierarchy=hierarchy)
    if kind == 1:
        return Categorical([True, False], invalid=invalid)
    edges = sorted(draw(st.sets(st.integers(-(2**52), 2**52), min_size=2, max_size=5)))
    bins = draw(st.none() | st.just(edges))
    if kind == 2:
        return Integer(edges[0], edges[-1], bins=bins, invalid=invalid)
    unit = draw(st.fractions(min_value="1/99999", max_value=99))
    scaled = [edge * unit for edge in edges]
    return Numeric(scaled[0], scaled[-1], resolution=unit, bins=bins and scaled, invalid=invalid)


@st.composite
def domains(draw):
    found = {}
    for name in draw(st.lists(texts, max_size=4)):
        try:
            candidate = found | {name: draw(attributes())}
            Domain(candidate)
        except InvalidArgument:  # repeated label, or a name that looks like another
            continue
        found = candidate
    rules = [
        {name: draw(st.sampled_from(a.key_labels)) for name, a in found.items() if a.is_key and draw(st.booleans())}
        for _ in range(draw(st.integers(0, 2)))
    ]
    title = draw(st.just("") | texts)
    unit = PrivacyUnit(id=draw(st.none() | st.just("the id that no column has")), max_sites=draw(st.integers(1, 3)))
    try:
        return Domain(found, impossible=rules, name=title, declared_by=title, unit=unit)
    except InvalidArgument:
        return Domain(found, name=title, declared_by=title, unit=unit)


@given(domains())
def test_round_trips_are_the_identity(domain):
    for copy in (
        Domain.from_dict(domain.to_dict()),
        Domain.from_toml(domain.to_toml()),
        Domain.from_json(domain.to_json()),
        Domain.from_json(json.dumps(domain.to_dict(), sort_keys=True)),
        Domain.from_toml(domain.to_toml().encode()),
    ):
        assert copy == domain
        assert copy.signature == domain.signature
    assert Domain.from_toml(domain.to_toml()).names == domain.names
    assert Domain.from_toml(domain.to_toml()).to_dict() == domain.to_dict()


def test_the_documented_format():
    assert Domain.from_toml(TOML) == Domain(
        {
            "diagnosis": Categorical(["Leukaemia", "Prostate"], hierarchy={"main": {"any": ["Leukaemia", "Prostate"]}}),
            "sex": Categorical(["female", "male"], invalid="error"),
            "age": Integer(0, 19, bins=[0, 5, 10, 15, 19]),
            "dose": Numeric("-0.5", "1.5", resolution="0.1", invalid="clamp"),
        },
        unit=PrivacyUnit(id="patient_id"),
        impossible=[{"diagnosis": "Prostate", "sex": "female"}],
        name="Childhood cancer",
    )


def test_toml_is_for_people():
    assert "\n[[impossible]]\n" in Domain.from_toml(TOML).to_toml()
    assert Domain.from_toml(TOML).to_toml().startswith('schema = 1\nname = "Childhood cancer"\n')


@pytest.mark.parametrize(
    ("old", "new", "argument"),
    [
        ("schema = 1", "schema = 2", "schema"),
        ("schema = 1", 'schema = "1"', "schema"),
        ("schema = 1", "schema = true", "schema"),
        ("schema = 1", "shema = 1", "shema"),
        ('name = "Childhood cancer"', "name = 3", "name"),
        ('name = "Childhood cancer"', 'name = "a\\u0000"', "name"),
        ("max_rows = 1", "max_rows = 0", "unit.max_rows"),
        ("max_rows = 1", "max_rows = 1.0", "unit.max_rows"),
        ("max_rows = 1", "max_row = 1", "unit.max_row"),
        ("add_remove", "replace", "unit.neighbours"),
        ('id = "patient_id"', 'id = "sex"', "attributes.sex"),
        ('id = "patient_id"', 'id = ""', "unit.id"),
        ('type = "integer"', 'type = "int"', "attributes.age.type"),
        ('type = "integer"', "type = 3", "attributes.age.type"),
        ('type = "integer"', "", "attributes.age.type"),
        ('type = "integer"', 'type = "categorical"', "attributes.age.lower"),
        ("lower = 0", "", "attributes.age.lower"),
        ("lower = 0", "lower = 0.0", "attributes.age.lower"),
        ("lower = 0", "lower = true", "attributes.age.lower"),
        ("lower = 0", 'lower = "0"', "attributes.age.lower"),
        ("lower = 0", "lower = nan", "attributes.age.lower"),
        ("lower = 0", "lower = 1", "attributes.age.bins.0"),
        ("lower = 0", "lower = 20", "attributes.age.upper"),
        ("lower = 0", "lower = -9007199254740992", "attributes.age.lower"),
        ("lower = 0", "lower = -99999999999999999999", "attributes.age.lower"),
        ("upper = 19", "upper = inf", "attributes.age.upper"),
        ("upper = 19", "uper = 19", "attributes.age.uper"),
        ("[0, 5, 10, 15, 19]", "[0, 5, 10, 15, 15, 19]", "attributes.age.bins.4"),
        ("[0, 5, 10, 15, 19]", "[0, 5, 10, '15', 19]", "attributes.age.bins.3"),
        ("[0, 5, 10, 15, 19]", "5", "attributes.age.bins"),
        ("lower = -0.5", "lower = -0.55", "attributes.dose.lower"),
        ("lower = -0.5", "lower = -inf", "attributes.dose.lower"),
        ("lower = -0.5", "lower = false", "attributes.dose.lower"),
        ('"3/2"', '"3/0"', "attributes.dose.upper"),
        ('"3/2"', '"1e999999"', "attributes.dose.upper"),
        ('"3/2"', "[1]", "attributes.dose.upper"),
        ("resolution = 0.1", "", "attributes.dose.resolution"),
        ('"clamp"', '"clmap"', "attributes.dose.invalid"),
        ('"clamp"', "3", "attributes.dose.invalid"),
        ('"error"', '"clamp"', "attributes.sex.invalid"),
        ('"error"', '"error"\ninvalid_label = "x"', "attributes.sex.invalid_label"),
        ('"error"', '"category"\ninvalid_label = "male"', "attributes.sex.invalid_label"),
        ('"error"', '"category"\ninvalid_label = 1.5', "attributes.sex.invalid_label"),
        ('["female", "male"]', '["female", "female"]', "attributes.sex.categories.1"),
        ('["female", "male"]', '["f\\u00e9", "fe\\u0301"]', "attributes.sex.categories.1"),
        ('["female", "male"]', '["female", ""]', "attributes.sex.categories.1"),
        ('["female", "male"]', '["female", 1]', "attributes.sex.categories.1"),
        ('["female", "male"]', '["female", 1.5]', "attributes.sex.categories.1"),
        ('["female", "male"]', '["female", nan]', "attributes.sex.categories.1"),
        ('["female", "male"]', '["female", ["male"]]', "attributes.sex.categories.1"),
        ('["female", "male"]', '["female", 2024-01-01]', "attributes.sex.categories.1"),
        ('["female", "male"]', "[]", "attributes.sex.categories"),
        ('["female", "male"]', '"female"', "attributes.sex.categories"),
        (
            '["Leukaemia", "Prostate"]\n[attributes.sex]',
            '["Leukaemia"]\n[attributes.sex]',
            "attributes.diagnosis.hierarchy.main",
        ),
        ('any = ["Leukaemia", "Prostate"]', "any = []", "attributes.diagnosis.hierarchy.main.any"),
        ('any = ["Leukaemia", "Prostate"]', 'any = "Leukaemia"', "attributes.diagnosis.hierarchy.main.any"),
        ('any = ["Leukaemia", "Prostate"]', "any = [1.5]", "attributes.diagnosis.hierarchy.main.any.0"),
        ('diagnosis = "Prostate"', 'diagnosis = "Protsate"', "impossible.0.diagnosis"),
        ('diagnosis = "Prostate"', "diagnosis = 1.5", "impossible.0.diagnosis"),
        ('diagnosis = "Prostate"', "diagnosis = {a = 1}", "impossible.0.diagnosis"),
        ('diagnosis = "Prostate"', 'diagnoses = "Prostate"', "impossible.0.diagnoses"),
        ("[[impossible]]", "[impossible]", "impossible"),
    ],
)
def test_errors_name_the_key(old, new, argument):
    assert TOML.count(old) >= 1
    broken = TOML.replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        Domain.from_toml(broken)
    assert caught.value.argument == argument


def test_errors_help():
    for old, new, said in [
        ('type = "integer"', 'type = "integr"', "Did you mean 'integer'?"),
        ("upper = 19", "uper = 19", "Did you mean 'upper'?"),
        ("add_remove", "add_or_remove", "Did you mean 'add_remove'?"),
        ('diagnosis = "Prostate"', 'diagnosis = "Protsate"', "Did you mean 'Prostate'?"),
        ('diagnosis = "Prostate"', 'diagnoses = "Prostate"', "Did you mean 'diagnosis'?"),
        ('"clamp"', '"clam"', "Did you mean 'clamp'?"),
    ]:
        with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
            Domain.from_toml(TOML.replace(old, new, 1))


def test_nothing_declared_yet_is_refused():
    with pytest.raises(ConfigError) as caught:
        Domain.from_toml('declared_by = ""\n' + TOML)
    assert caught.value.argument == "declared_by"
    assert Domain.from_toml('declared_by = "A. Steward"\n' + TOML).declared_by == "A. Steward"


def test_schema_may_be_left_out():
    assert Domain.from_dict({}) == Domain()
    assert Domain.from_toml(TOML.replace("schema = 1", "")) == Domain.from_toml(TOML)


@pytest.mark.parametrize(
    "data", [None, 3, [], "x", {1: 2}, {"attributes": {"a": Categorical(["a"])}}, {"unit": PrivacyUnit()}]
)
def test_from_dict_takes_plain_data_only(data):
    with pytest.raises(ConfigError):
        Domain.from_dict(data)


# Hostile input: only exceptions of pets escape

KEYS = """
    schema name declared_by unit id max_rows neighbours max_sites attributes impossible type categorical integer
    numeric lower upper bins resolution invalid invalid_label hierarchy categories drop error category clamp a sex
"""
words = st.sampled_from(KEYS.split())
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | words
    | st.just(10**400)
    | st.integers(0, 5)
)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=3), inner, max_size=6),
    max_leaves=25,
)
attribute_like = st.fixed_dictionaries(
    {"type": st.sampled_from(["categorical", "integer", "numeric"])},
    optional={
        "categories": st.lists(leaves, max_size=4) | trees,
        "lower": leaves,
        "upper": leaves,
        "resolution": leaves,
        "bins": st.lists(leaves, max_size=4) | trees,
        "invalid": words,
        "invalid_label": leaves,
        "hierarchy": trees
        | st.dictionaries(words, st.dictionaries(words, st.lists(leaves | words, max_size=3), max_size=3)),
    },
)
domain_like = st.fixed_dictionaries(
    {},
    optional={
        "schema": st.just(1) | leaves,
        "unit": trees,
        "name": leaves,
        "attributes": st.dictionaries(words | st.text(max_size=3), attribute_like | trees, max_size=4),
        "impossible": st.lists(st.dictionaries(words, leaves | st.lists(leaves, max_size=3), max_size=3), max_size=3)
        | trees,
    },
)


def only_ours(make, *args) -> None:
    try:
        domain = make(*args)
    except PetsError as error:
        str(error).encode()
        assert not isinstance(error, InvalidArgument) or isinstance(error, ConfigError)  # noqa: PT017  one of two outcomes
        return
    assert Domain.from_toml(domain.to_toml()) == domain


@given(trees | domain_like)
@example({"attributes": {"a": {"type": "numeric", "lower": "1e999", "upper": "1e999", "resolution": "1e-999"}}})
@example({"attributes": {"a": {"type": "numeric", "lower": 10**400, "upper": 1, "resolution": 1}}})
@example({"attributes": {"a": {"type": "numeric", "lower": 5e-324, "upper": 1.7e308, "resolution": 5e-324}}})
def test_from_dict_never_raises_anything_else(data):
    only_ours(Domain.from_dict, data)


@given(trees | domain_like)
def test_from_json_never_raises_anything_else(data):
    only_ours(Domain.from_json, json.dumps(data))


@given(st.text() | st.binary())
def test_from_text_never_raises_anything_else(text):
    only_ours(Domain.from_toml, text)
    only_ours(Domain.from_json, text)


@given(
    st.integers(0, len(TOML)),
    st.integers(0, 12),
    st.text(st.characters() | st.sampled_from('[]{}="\n.,#0'), max_size=6),
)
def test_a_damaged_file_never_raises_anything_else(start, length, patch):
    only_ours(Domain.from_toml, TOML[:start] + patch + TOML[start + length :])


# Files, schema, import


@pytest.mark.parametrize("suffix", [".toml", ".json", ".TOML"])
def test_files(tmp_path: Path, suffix):
    domain, path = Domain.from_toml(TOML), tmp_path / f"registry{suffix}"
    domain.to_file(path)
    domain.to_file(str(path))
    assert Domain.from_file(path) == Domain.from_file(str(path)) == domain
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_bad_files(tmp_path: Path):
    for act in (Domain().to_file, Domain.from_file):
        for path in (tmp_path / "a.yaml", tmp_path / "a", tmp_path / "no" / "a.toml", 3, None):
            with pytest.raises(InvalidArgument) as caught:
                act(path)
            assert caught.value.argument == "path"


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path):
    large = Domain({name: [f"{i:0200}" for i in range(20_000)] for name in "abc"})
    with pytest.raises(InvalidArgument) as caught:
        large.to_file(tmp_path / "a.json")
    assert caught.value.argument == "path"
    assert not list(tmp_path.iterdir())


def test_json_schema_lists_the_keys_of_the_format():
    schema = json.loads(json.dumps(Domain.json_schema()))
    assert set(schema["properties"]) == {"schema", "name", "declared_by", "unit", "attributes", "impossible", "order"}
    sections = schema["$defs"]
    assert {name.removesuffix("Section") for name in sections} == {"Unit", "Categorical", "Integer", "Numeric", "Date"}
    for section in (schema, *sections.values()):
        assert section["additionalProperties"] is False
    for attribute in (Categorical(["a"]), Integer(0, 1), Numeric(0, 1, resolution=1), Date("2000-01-01", "2001-01-01")):
        section = sections[f"{type(attribute).__name__}Section"]
        assert set(attribute.to_dict()) <= set(section["properties"])
        assert section["properties"]["type"]["const"] == attribute.type


def test_pydantic_is_loaded_only_when_a_file_is_read():
    code = (
        "import sys, pets.domain as d; d.Domain(a=['x']).signature; "
        "print({'pydantic', 'tomli_w', 'pandas'} & set(sys.modules)); "
        "d.Domain.from_dict({}); print('pydantic' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["set()", "True"]
