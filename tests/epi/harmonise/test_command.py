"""The command ``pets harmonise``, and what it prints."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import pets
from pets.cli import app
from pets.errors import InvalidArgument

SYNTHEA = Path(__file__).parent / "data" / "omop"
PERSON = {"patientIdNumber": "00000001", "sex": "2", "dateOfLastContact": "2020", "vitalStatus": "1"}
TUMOUR = {
    "primarySite": "C220", "histologicTypeIcdO3": "8970", "behaviorCodeIcdO3": "3", "dateOfDiagnosis": "20150101",
    "ageAtDiagnosis": "003",
}  # fmt: skip
ODD = {**TUMOUR, "histologicTypeIcdO3": "8555"}


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["harmonise", *map(str, arguments)], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return str(result.output)


@pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
def test_from_xml_to_a_release(naaccr: Callable[..., Path], tmp_path: Path):
    path = naaccr([(PERSON, [TUMOUR]), ({**PERSON, "patientIdNumber": "00000002"}, [ODD])])
    table, domain = tmp_path / "table.csv", tmp_path / "domain.toml"
    output = run(path, "-o", table, "--domain", domain, "--years", "2015-2019")
    assert "diagnosis" in output and "8555" not in output, "which columns, but no code"
    frame = pd.read_csv(table, dtype=str)
    assert frame["patient"].tolist() == ["00000001", "00000002"] and frame["diagnosis"].tolist()[0] == "VIIa"
    internal = table.with_name("table.INTERNAL.csv")
    assert "C220 8555 3" in internal.read_text() and internal.read_text().splitlines()[1].startswith("INTERNAL")
    for written in (table, internal):
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'schema = 1\ndomain = "{domain.name}"\n[query]\ntype = "count"\nby = ["group"]\n'
        '[mechanism]\ntype = "discrete_laplace"\nepsilon = 80\n'
    )
    result = CliRunner().invoke(app, ["run", str(plan), "--site", f"A={table}", "--json"])
    assert result.exit_code == 0, result.output
    release = pets.Release.from_json(result.stdout)
    counted = release.to_frame().set_index("group")["value"]
    assert counted["VII"] == 1 and counted["(unknown)"] == 1 and counted.sum() == 2, (
        "the tumour without a place is counted as such"
    )


def test_omop_folder_and_parquet(tmp_path: Path):
    (tmp_path / "list.csv").write_text("source_value,topography,morphology\n195662009,C71.7,9470/3\n")
    run(SYNTHEA, "--model", "omop", "--concepts", tmp_path / "list.csv", "-o", tmp_path / "t.parquet")
    assert len(pd.read_parquet(tmp_path / "t.parquet")) == 16


def test_show_gives_a_crosswalk_to_begin_with(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(run("--show", "pcornet"))
    (tmp_path / "t.csv").write_text(
        "PATID,PRIMARY_SITE_N400,HISTOLOGIC_TYPE_ICD_O3_N522,BEHAVIOR_CODE_ICD_O3_N523,DATE_OF_DIAGNOSIS_N390\n"
        "1,C220,8170,3,2015\n"
    )
    run(tmp_path / "t.csv", "--model", tmp_path / "mine.toml", "-o", tmp_path / "out.csv")
    assert pd.read_csv(tmp_path / "out.csv")["diagnosis"].tolist() == ["VIIb"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["x.xml"], "--output"), (["-o", "o.csv"], "FILE"), (["x.xml", "-o", "o.json"], "--output"),
        (["x.xml", "-o", "no/where/o.csv"], "--output"), (["x", "--model", "naacr", "-o", "o.csv"], "naaccr"),
        (["x", "--model", "naaccr", "--concepts", "c.csv", "-o", "o.csv"], "--concepts"),
        (["x", "--model", "omop", "--region", "countyAtDx", "-o", "o.csv"], "--region"),
        (["x", "-o", "o.csv", "--domain", "d.toml"], "--years"), (["x", "-o", "o.csv", "--years", "2015"], "--years"),
        (["x", "-o", "o.csv", "--domain", "d.toml", "--years", "15"], "--years"), (["--show", "omop"], "--show"),
        (["x", "-o", "o.csv", "--domain", "d.toml", "--years", "2019-2015"], "--years"),
        (["x.csv", "-o", "x.csv"], "--output"), (["o.INTERNAL.csv", "-o", "o.csv"], "--output"),
        (["x", "--model", "m.toml", "-o", "o.csv", "--domain", "m.toml", "--years", "2015"], "--domain"),
        (["x", "-o", "o.csv", "--domain", "no/where/d.toml", "--years", "2015"], "--domain"),
        (["nowhere", "--model", "omop", "-o", "o.csv"], "nowhere"),
    ],
)  # fmt: skip
def test_wrong_use_is_explained_before_anything_is_written(
    arguments: list[str], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match=word):
        run(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_records_themselves_are_not_replaced(tmp_path: Path):
    records = tmp_path / "person.csv"
    records.write_text("person_id\n1\n")
    for arguments in ((records, "-o", records), (tmp_path, "--model", "omop", "-o", records)):
        with pytest.raises(InvalidArgument, match="would replace"):
            run(*arguments)
    assert records.read_text() == "person_id\n1\n"
    assert list(tmp_path.iterdir()) == [records]
