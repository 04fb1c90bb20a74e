"""The report, and the command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from pets.cli_microdata import microdata as command
from pets.disclosure import microdata
from pets.errors import DataError, InvalidArgument

RNG = np.random.default_rng(12)
FRAME = pd.DataFrame({
    "site": RNG.choice(["I", "II", "III"], 400, p=[0.6, 0.3, 0.1]),
    "age": RNG.integers(0, 15, 400),
    "region": RNG.choice(["N", "S"], 400),
    "status": RNG.choice(["alive", "dead"], 400),
    "w": 3.5,
})  # fmt: skip
KEYS = ["site", "age", "region"]


def test_the_report_agrees_with_the_single_measures():
    found = microdata.assess(FRAME, KEYS, sensitive=["status"], weights="w", population=1400)
    sizes = FRAME.groupby(KEYS).size()
    assert (found.k, found.classes, found.uniques) == (sizes.min(), len(sizes), (sizes == 1).sum())
    assert found.below(5) == sizes[sizes < 5].sum() and found.below(11) == sizes[sizes < 11].sum()
    assert sum(found.bands) == found.rows == 400
    assert found.mean_risk == pytest.approx(len(sizes) / 400)
    (status,) = found.sensitive
    assert status.distinct == microdata.l_diversity(FRAME, KEYS, "status")
    assert status.entropy == microdata.l_diversity(FRAME, KEYS, "status", kind="entropy")
    assert status.t == microdata.t_closeness(FRAME, KEYS, "status")
    assert found.expected_matches == pytest.approx(microdata.individual_risk(FRAME, KEYS, "w").expected)
    assert found.population == microdata.population_uniques(FRAME, KEYS, 1400)
    assert dict(found.contributions) == microdata.special_uniques(FRAME, KEYS).contributions


def test_the_report_shows_itself():
    found = microdata.assess(FRAME, KEYS, sensitive="status", population=1400)
    table = found.to_frame()
    assert list(table.columns) == ["measure", "value", "meaning"]
    assert table.set_index("measure").loc["k", "value"] == found.k
    assert "records that look alike" not in repr(found) and "k " in repr(found)
    assert found._repr_html_().count("<tr>") == len(table) + 1
    axes = found.plot()
    assert [bar.get_height() * 4 for bar in axes.patches] == pytest.approx(found.bands)


def test_a_frame_of_uniques_only():
    found = microdata.assess(pd.DataFrame({"id": range(30), "x": range(30)}), ["id", "x"], population=1000)
    assert found.k == 1 and found.uniques == 30 and found.population.method == "zayatz"


def test_missing_keys_are_read_as_asked():
    frame = pd.DataFrame({"a": ["x", "x", None], "b": ["p", "q", "q"]})
    assert microdata.assess(frame, ["a", "b"]).k == 1
    assert microdata.assess(frame, ["a", "b"], missing="matches_all").uniques == 1


@pytest.mark.parametrize(("call", "error"), [
    (lambda: microdata.assess(FRAME, KEYS, sensitive="site"), InvalidArgument),
    (lambda: microdata.assess(FRAME, KEYS, population=3), InvalidArgument),
    (lambda: microdata.assess(FRAME, KEYS, weights="status"), DataError),
    (lambda: microdata.assess(FRAME, [*KEYS, "nope"]), DataError),
    (lambda: microdata.assess(FRAME, KEYS).below(7), InvalidArgument),
])  # fmt: skip
def test_bad_input(call, error):
    with pytest.raises(error):
        call()


# ------------------------------------------------------------------------------------ the command


app = typer.Typer()
app.command()(command)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cases.csv"
    FRAME.assign(zip="02139", dob="2012-05-06").to_csv(path, index=False)
    return str(path)


def run(*words: str):
    return CliRunner().invoke(app, list(words))


def test_the_command_tells_both_things(file):
    result = run(file, "--keys", "site,age,region", "--sensitive", "status")
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    assert "(B)" in words and "(C)" in words and "unique records" in words and "rare diseases" in words
    assert "02139" not in words and "2012-05-06" not in words


def test_the_command_prints_json(file):
    result = run(file, "--keys", "site,age,region", "--json")
    document = json.loads(result.output)
    assert {f["column"] for f in document["safe_harbor"]} == {"zip", "dob", "region"}
    assert document["measures"]["k"] == FRAME.groupby(KEYS).size().min()


def test_the_exit_code_tells_whether_k_is_reached(file):
    assert run(file, "--keys", "region", "--k", "5").exit_code == 0
    assert run(file, "--keys", "site,age,region", "--k", "50").exit_code == 4


def test_without_keys_the_command_says_what_comes_next(file):
    result = run(file)
    assert result.exit_code == 0 and "--keys" in result.output


def test_bad_usage_is_a_typed_error(file, tmp_path):
    for words in ([file, "--k", "3"], [str(tmp_path / "absent.csv")], [file, "--keys", "site", "--missing", "no"]):
        assert isinstance(run(*words).exception, InvalidArgument)
    assert isinstance(run(file, "--keys", "nope").exception, DataError)


def test_codes_with_leading_zeros_stay_texts(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("code,n\n007,1\n7,2\n07,3\n")
    result = run(str(path), "--keys", "code", "--json")
    assert json.loads(result.output)["measures"]["unique records"] == 3


def test_the_measures_come_before_the_identifiers(file):
    words = run(file, "--keys", "site,age,region").output
    assert words.index("Records that look alike") < words.index("HIPAA Safe Harbor")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_read(tmp_path, separator):
    path = tmp_path / "cases.csv"
    FRAME.to_csv(path, index=False, sep=separator)
    result = run(str(path), "--keys", "site,age,region", "--json")
    assert json.loads(result.output)["measures"]["k"] == FRAME.groupby(KEYS).size().min()


def test_a_file_without_a_heading_shows_no_cell(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("Miller,2012-05-06,f\nSmith,2013-01-01,m\n")
    error = run(str(path), "--keys", "name").exception
    assert "first line looks like data" in str(error) and "Miller" not in str(error)
