"""The shipped registry counts: known answers, shape, and the script that makes the file."""

from __future__ import annotations

import runpy
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.datasets import AGE_GROUPS, EUROPE_21, ci5_children, one_row_per_case
from pets.errors import InvalidArgument

SHIPPED = files("pets.datasets") / "data" / "ci5xii_children.csv"
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "data" / "make_ci5.py"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return ci5_children()


@pytest.fixture(scope="module")
def headline(table: pd.DataFrame) -> pd.DataFrame:
    """Liver cancer, ages 0-14, the 21 European registries."""
    return table[(table.site == "Liver") & table.registry.isin(EUROPE_21) & (table.age_group != "15-19")]


def test_headline_counts(headline: pd.DataFrame) -> None:
    assert len(headline) == 21 * 2 * 3
    assert headline.cases.sum() == 294
    assert headline.groupby("age_group").cases.sum().to_dict() == {"0-4": 231, "5-9": 37, "10-14": 26}


@pytest.mark.parametrize(("threshold", "lost"), [(5, 30.6), (11, 66.3)])
def test_masking_small_cells_loses_a_known_share(headline: pd.DataFrame, threshold: int, lost: float) -> None:
    small = headline.cases[headline.cases < threshold].sum()
    assert round(100 * small / headline.cases.sum(), 1) == lost


@pytest.mark.parametrize(
    ("registry", "by_age"),
    [("USA", [790, 131, 107, 146]), ("UK, England", [99, 10, 11, 15]), ("Japan", [148, 22, 16, 17])],
)
def test_liver_counts_of_single_registries(table: pd.DataFrame, registry: str, by_age: list[int]) -> None:
    chosen = table[(table.site == "Liver") & (table.registry == registry)]
    assert chosen.groupby("age_group").cases.sum()[list(AGE_GROUPS)].tolist() == by_age


def test_all_sites_of_the_usa_add_up_to_the_published_total(table: pd.DataFrame) -> None:
    assert table[table.registry == "USA"].cases.sum() == 77_236
    years = table[(table.registry == "USA") & (table.site == "Liver")].person_years.sum()
    assert years == 410_600_275


def test_every_cell_is_there_once_with_its_zeros(table: pd.DataFrame) -> None:
    assert list(table.columns) == ["registry", "country", "site", "sex", "age_group", "cases", "person_years"]
    keys = ["registry", "site", "sex", "age_group"]
    assert not table.duplicated(keys).any()
    assert len(table) == np.prod([table[key].nunique() for key in keys]) == 25 * 61 * 2 * 4
    assert (table.cases == 0).sum() > 5_000
    assert table.cases.dtype == table.person_years.dtype == np.int64
    assert (table.cases >= 0).all()
    assert (table.person_years > 0).all()
    assert table.groupby(["registry", "sex", "age_group"]).person_years.nunique().eq(1).all()


def test_names_and_codes(table: pd.DataFrame) -> None:
    assert len(EUROPE_21) == 21
    assert set(EUROPE_21) <= set(table.registry)
    assert tuple(table.age_group.unique()) == AGE_GROUPS
    assert set(table.sex) == {"male", "female"}
    assert table.country.str.fullmatch("[A-Z]{3}").all()
    # one code per country, and only the United Kingdom has more than one registry
    registries = table.drop_duplicates("registry").country.value_counts()
    assert registries[registries > 1].to_dict() == {"GBR": 4}
    assert not table.site.str.contains("All sites").any()
    assert not table.registry.str.contains("SEER|NPCR").any()


def test_anatomy_is_respected(table: pd.DataFrame) -> None:
    of_women, of_men = ["Ovary", "Cervix uteri", "Vagina", "Placenta"], ["Testis", "Prostate", "Penis"]
    wrong = (table.sex == "male") & table.site.isin(of_women) | (table.sex == "female") & table.site.isin(of_men)
    assert wrong.sum() == 25 * 4 * 7
    assert table[wrong].cases.sum() == 0


def test_the_shipped_file_is_small_and_the_one_that_was_checked_against_the_source() -> None:
    payload = SHIPPED.read_bytes()
    assert len(payload) < 100 * 1024
    assert sha256(payload).hexdigest() == "ceb8dfbc92200d3882ab1171b215bc3f5bb5dd6fe231e70860758677f0d23e01"


def test_each_call_returns_a_table_of_its_own() -> None:
    spoilt = ci5_children()
    spoilt.loc[:, "cases"] = 0
    assert ci5_children().cases.sum() == 125_083


def _source_files(folder: Path) -> tuple[Path, Path]:
    """Rebuild the two source files from the shipped one, with traps: totals, overlapping registries, no zeros."""
    table = ci5_children()
    codes = {name: 1000 - position for position, name in enumerate(table.registry.unique())}
    un_code = dict.fromkeys(table.country, 0)
    script = runpy.run_path(str(SCRIPT))
    un_code |= {alpha: number for number, alpha in script["ISO_ALPHA3"].items()}
    sites = {site: number for number, site in enumerate(table.site.unique(), start=1)}
    cases = pd.DataFrame(
        {
            "id_code": table.registry.map(codes),
            "cancer_code": table.site.map(sites),
            "cancer_label": table.site,
            "sex": table.sex,
            "age_group": table.age_group,
            "cases": table.cases,
        }
    )
    total = cases.assign(cancer_code=62, cancer_label="All sites").drop_duplicates(["id_code", "sex", "age_group"])
    seer = cases[cases.id_code == codes["USA"]].assign(id_code=1)
    cases = pd.concat([total, seer, cases[cases.cases > 0]]).sample(frac=1, random_state=1)
    population = table.drop_duplicates(["registry", "sex", "age_group"]).rename(
        columns={"registry": "id_label", "person_years": "py"}
    )
    population = population.assign(
        id_code=population.id_label.map(codes), country_code=population.country.map(un_code), period="2013-2017"
    )
    overlap = population[population.id_label == "USA"].assign(id_label="USA, SEER (9 registries)", id_code=1)
    population = pd.concat([overlap, population]).sample(frac=1, random_state=2)
    paths = folder / "cases.csv.gz", folder / "population.csv.gz"
    cases.to_csv(paths[0], index=False)
    population.drop(columns=["country", "site", "cases"]).to_csv(paths[1], index=False)
    return paths


def test_the_script_writes_the_shipped_bytes(tmp_path: Path) -> None:
    cases, population = _source_files(tmp_path)
    output = tmp_path / "out.csv"
    assert runpy.run_path(str(SCRIPT))["main"]([str(cases), str(population), str(output)]) == 0
    assert output.read_bytes() == SHIPPED.read_bytes()


def test_the_script_refuses_a_source_that_lacks_a_registry(tmp_path: Path) -> None:
    cases, population = _source_files(tmp_path)
    short = pd.read_csv(population)
    short[short.id_label != "Malta"].to_csv(population, index=False)
    with pytest.raises(SystemExit, match="lacks or repeats"):
        runpy.run_path(str(SCRIPT))["main"]([str(cases), str(population), str(tmp_path / "out.csv")])


def test_expanding_the_headline_and_counting_again_gives_the_table_back(headline: pd.DataFrame) -> None:
    before = headline.copy()
    rows = one_row_per_case(headline)
    assert list(rows.columns) == ["case_id", "registry", "country", "site", "sex", "age_group"]
    assert rows.case_id.tolist() == list(range(294))
    keys = ["registry", "sex", "age_group"]
    counted = rows.groupby(keys).size()
    expected = headline[headline.cases > 0].set_index(keys).cases
    pd.testing.assert_series_equal(counted, expected.sort_index(), check_names=False)
    pd.testing.assert_frame_equal(headline, before)
    pd.testing.assert_frame_equal(rows, one_row_per_case(headline))


@given(st.lists(st.integers(0, 30), max_size=12), st.sampled_from(["int64", "int8", "uint16", "Int64"]))
def test_rows_follow_the_order_of_the_cells(counts: list[int], dtype: str) -> None:
    frame = pd.DataFrame(
        {"cell": range(len(counts)), "n": pd.array(counts, dtype=dtype)}, index=range(len(counts), 0, -1)
    )
    rows = one_row_per_case(frame, count="n")
    assert rows.cell.tolist() == [cell for cell, times in enumerate(counts) for _ in range(times)]
    assert rows.index.tolist() == rows.case_id.tolist() == list(range(sum(counts)))
    assert rows.case_id.dtype == np.int64


@pytest.mark.parametrize(
    ("frame", "argument"),
    [
        ([1, 2], "frame"),
        (pd.DataFrame({"case_id": [1], "cases": [1]}), "frame"),
        (pd.DataFrame({"case": [1]}), "count"),
        (pd.DataFrame([[1, 2]], columns=["cases", "cases"]), "count"),
        (pd.DataFrame({"cases": [-1]}), "count"),
        (pd.DataFrame({"cases": [1.0]}), "count"),
        (pd.DataFrame({"cases": [True]}), "count"),
        (pd.DataFrame({"cases": ["3"]}), "count"),
        (pd.DataFrame({"cases": pd.array([1, None], dtype="Int64")}), "count"),
        (pd.DataFrame({"cases": [2**62, 2**62, 2**62]}), "count"),
    ],
)
def test_tables_that_cannot_be_expanded_are_refused(frame: object, argument: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        one_row_per_case(frame)  # type: ignore[arg-type]
    assert caught.value.argument == argument
