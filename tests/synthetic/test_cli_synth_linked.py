"""Linked tables from the command line: one domain file, CSV in and out, one promise, nothing charged on refusal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import pets
from pets.cli_synth import synth
from pets.errors import ConfigError, InvalidArgument, PetsError
from pets.synthetic.linked import LinkedDomain, LinkedTables

pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")

DOMAIN = """
declared_by = "a test"

[tables.patients]
survival = [{ time = "time", event = "status" }]
[tables.patients.unit]
id = "patient_id"
[tables.patients.attributes]
sex = { type = "categorical", categories = ["f", "m"] }
birth = { type = "date", lower = "2000-01-01", upper = "2004-12-31" }
time = { type = "integer", lower = 0, upper = 100, bins = [0, 25, 50, 100] }
status = { type = "categorical", categories = ["censored", "dead"] }

[tables.tumours]
parent = "patients"
most = 2
after = { diagnosis = "birth" }
[tables.tumours.attributes]
site = { type = "categorical", categories = ["bone", "brain"] }
diagnosis = { type = "date", lower = "2000-01-01", upper = "2008-12-31" }

[tables.treatments]
parent = "tumours"
key = "tumour"
most = 2
[tables.treatments.attributes]
kind = { type = "categorical", categories = ["chemo", "surgery"] }
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    random, n = np.random.default_rng(0), 300
    birth = pd.Timestamp("2000-01-01") + pd.to_timedelta(random.integers(0, 1800, n), unit="D")
    patients = pd.DataFrame({"patient_id": [f"{i:04d}" for i in range(n)], "sex": random.choice(["f", "m"], n)})
    patients["birth"] = birth.strftime("%Y-%m-%d")
    patients = patients.assign(time=random.integers(0, 101, n), status=random.choice(["censored", "dead"], n))
    own = np.repeat(np.arange(n), random.integers(0, 3, n))
    found = birth[own] + pd.to_timedelta(random.integers(-100, 1400, len(own)), unit="D")
    tumours = pd.DataFrame({"patient_id": patients.patient_id.to_numpy()[own], "tumour": np.arange(len(own))})
    tumours = tumours.assign(site=random.choice(["bone", "brain"], len(own)), diagnosis=found.strftime("%Y-%m-%d"))
    rows = tumours[["patient_id", "tumour"]].assign(kind=random.choice(["chemo", "surgery"], len(own)))
    for name, frame in {"patients": patients, "tumours": tumours, "treatments": rows}.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "domain.toml").write_text(DOMAIN, encoding="utf-8")
    return tmp_path


def run(files: Path, *options: str, out: str = "out", tables: Any = ("patients", "tumours", "treatments")) -> Any:
    app = typer.Typer()
    app.command()(synth)
    named = [part for table in tables for part in ("--table", f"{table}={files / table}.csv")]
    arguments = [*named, "--domain", str(files / "domain.toml"), "-o", str(files / out), "--mechanism", "independent"]
    return CliRunner().invoke(app, [*arguments, *options])


def read(files: Path, table: str, out: str = "out") -> pd.DataFrame:
    return pd.read_csv(files / out / f"synthetic-{table}.csv")


def test_tables_with_keys_that_fit_a_model_and_reports_are_written(files: Path):
    with pets.Ledger(files / "l.sqlite", limit=pets.ApproxDP(4, "1e-6")):
        pass
    done = run(files, "-e", "3", "--ledger", str(files / "l.sqlite"), "--dataset", "families")
    assert done.exit_code == 0, done.output + repr(done.exception)
    with pets.Ledger(files / "l.sqlite") as ledger:
        assert ledger.spent("families").epsilon == 3
    patients, tumours, treatments = (read(files, name) for name in ("patients", "tumours", "treatments"))
    assert 200 < len(patients) < 400 and len(tumours) > 100 and len(treatments) > 50
    assert list(treatments.columns) == ["patient_id", "tumour", "kind"]
    assert len(treatments.merge(tumours, on=["patient_id", "tumour"])) == len(treatments)
    both = tumours.merge(patients, on="patient_id")
    assert len(both) == len(tumours) and (both.diagnosis >= both.birth).all()
    report = (files / "out" / "report.html").read_text(encoding="utf-8")
    assert report.count("off by at most") == 3 and "at most 2 of tumours, 4 of treatments" in report
    assert "Kaplan" not in report and "://" not in report
    internal = (files / "out" / "INTERNAL.html").read_text(encoding="utf-8")
    assert "Kaplan-Meier" in internal and re.findall("<h2>(patients|tumours|treatments)</h2>", internal) == [
        "patients", "tumours", "treatments",
    ]  # fmt: skip
    again = LinkedTables.load(files / "out" / "model.pets").sample(20, seed=1)
    assert len(again["patients"]) == 20
    assert "donotpasson" in "".join(done.output.split())
    names = sorted(path.name for path in (files / "out").iterdir())
    assert names == ["INTERNAL.html", "model.pets", "report.html", *(f"synthetic-{t}.csv" for t in sorted(again))]


def test_one_patient_with_a_strange_number_parts_nobody_from_their_tumours(files: Path):
    """Keys are texts in every file, whatever the others look like: 0007 stays 0007."""
    with (files / "patients.csv").open("a", encoding="utf-8") as file:
        file.write("A7,f,2001-01-01,5,dead\n")
    done = run(files, "-e", "30", "--no-evaluate", "--rows", "301")
    assert done.exit_code == 0, repr(done.exception)
    assert abs(len(read(files, "tumours")) - len(pd.read_csv(files / "tumours.csv"))) < 60


@pytest.mark.parametrize(
    ("options", "tables", "word"),
    [
        ((), ("patients", "tumours", "treatments"), "--epsilon"),
        (("-e", "1"), ("patients", "tumours"), "is missing for 'treatments'"),
        (("-e", "1"), ("patients", "tumors", "treatments"), "Did you mean 'tumours'"),
        (("-e", "1", "--mechanism", "cart"), ("patients", "tumours", "treatments"), "linked tables"),
        (("-e", "1", "--allow-exact"), ("patients", "tumours", "treatments"), "--allow-exact"),
        (("-e", "1", "--survival", "time:status"), ("patients", "tumours", "treatments"), "--survival"),
        (("--sweep", "1"), ("patients", "tumours", "treatments"), "--sweep"),
        (("-e", "1", "--table", "tumours"), ("patients", "tumours", "treatments"), "NAME=FILE"),
        (("-e", "1", "--table", "tumours=a.csv"), ("patients", "tumours", "treatments"), "twice"),
        (("-e", "1", "rows.csv"), ("patients", "tumours", "treatments"), "FILE"),
        (("-e", "0.0001", "--rows", "300"), ("patients", "tumours", "treatments"), "Nothing was charged"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_charged_or_written(files: Path, options: Any, tables: Any, word: str):
    with pets.Ledger(files / "l.sqlite", limit=pets.ApproxDP(4, "1e-6")):
        pass
    extra = () if "--sweep" in options else ("--ledger", str(files / "l.sqlite"))
    done = run(files, *options, *extra, tables=tables)
    assert isinstance(done.exception, InvalidArgument) and word in str(done.exception)
    with pets.Ledger(files / "l.sqlite") as ledger:
        assert ledger.spent().epsilon == 0
    assert not list(files.glob("out/*"))


def test_columns_that_nobody_declared(files: Path):
    frame = pd.read_csv(files / "tumours.csv", dtype=str).assign(postcode="x")
    frame.to_csv(files / "tumours.csv", index=False)
    refused = run(files, "-e", "2", "--no-evaluate")
    assert isinstance(refused.exception, InvalidArgument) and "postcode" in str(refused.exception)
    assert run(files, "-e", "2", "--no-evaluate", "--only-declared").exit_code == 0
    assert "postcode" not in read(files, "tumours").columns


def test_tables_without_a_domain(files: Path):
    app = typer.Typer()
    app.command()(synth)
    done = CliRunner().invoke(
        app, ["--table", f"patients={files / 'patients.csv'}", "-e", "1", "-o", str(files / "out")]
    )
    assert isinstance(done.exception, InvalidArgument) and "--domain" in str(done.exception)


def test_one_file_for_a_domain_of_several_tables(files: Path):
    app = typer.Typer()
    app.command()(synth)
    one = [str(files / "patients.csv"), "--domain", str(files / "domain.toml"), "-e", "1", "-o", str(files / "out")]
    done = CliRunner().invoke(app, one)
    assert isinstance(done.exception, InvalidArgument) and "--table tumours=tumours.csv" in str(done.exception)


# ------------------------------------------------------------------------------------------------ the file


def test_a_domain_of_several_tables_is_plain_data():
    declared = LinkedDomain.from_dict(pets.config.parse_toml(DOMAIN))
    assert LinkedDomain.from_dict(declared.to_dict()) == declared
    assert declared.keys("tumours") == ("patient_id", "tumour") and declared.survival[0].time == "time"
    assert declared.domains["treatments"].declared_by == "a test"
    shuffled = declared.to_dict()
    shuffled["tables"] = dict(reversed(shuffled["tables"].items()))
    assert next(iter(LinkedDomain.from_dict(shuffled).domains)) == "patients", "patients come first in whatever order"


@pytest.mark.parametrize(
    ("old", "new", "argument"),
    [
        ("[tables.", "[table.", "tables"), ('declared_by = "a test"', 'declared_by = ""', "declared_by"),
        ('declared_by = "a test"', 'owner = "x"', "owner"), ("most = 2\nafter", "after", "tables.tumours.most"),
        ('parent = "patients"', 'parent = "people"', "children.tumours.parent"),
        ('parent = "patients"\nmost = 2\nafter = { diagnosis = "birth" }\n', "", "tables"),
        ('{ diagnosis = "birth" }', '{ diagnosis = "sex" }', "children.tumours.after.diagnosis"),
        ("lower = 0, upper = 100", "lower = 0, upper = -1", "tables.patients.attributes.time.upper"),
        ('event = "status"', 'events = "status"', "tables.patients.survival.0.events"),
        ('time = "time", ', "", "tables.patients.survival.0.time"),
        ('key = "tumour"', "keys = 1", "tables.treatments.keys"),
        ("[tables.tumours]\n", '[tables.tumours]\ndeclared_by = "me"\n', "tables.tumours.declared_by"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_named(old: str, new: str, argument: str):
    assert old in DOMAIN
    with pytest.raises(PetsError) as caught:
        LinkedDomain.from_dict(pets.config.parse_toml(DOMAIN.replace(old, new)))
    assert isinstance(caught.value, ConfigError) and caught.value.argument == argument
