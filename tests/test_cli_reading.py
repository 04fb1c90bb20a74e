"""Files with other separators are read by every command."""

import pytest
from typer.testing import CliRunner

import pets
from pets import cli, cli_federation, cli_synth
from pets.cli import app
from pets.cli_federation import _check_columns
from pets.errors import DataError, InvalidArgument


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_domain_is_suggested_from_any_dialect(tmp_path, separator):
    file = tmp_path / "cases.csv"
    rows = [("site", "age", "code")] + [(site, str(age), "007") for site in "AB" for age in range(10)]
    file.write_text("\n".join(map(separator.join, rows)), encoding="utf-8")
    found = CliRunner().invoke(app, ["suggest-domain", str(file)])
    assert found.exit_code == 0, found.output + repr(found.exception)
    for name in ("site", "age", "code"):
        assert f"[attributes.{name}]" in found.output


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_site_knows_its_columns_in_any_dialect(tmp_path, separator):
    """``pets site`` looks at the heading before the others rely on it; it reads no row."""
    plan = pets.Pipeline(pets.Count(by=["site"]), pets.Domain(site=["A"]), mechanism=pets.dp.DiscreteLaplace(epsilon=1))
    file = tmp_path / "cases.csv"
    file.write_bytes(
        b"\xef\xbb\xbf"
        + separator.join(["age", "site"]).encode()
        + b"\n1"
        + separator.encode() * 5
        + b"a row of too many fields\n"
    )
    _check_columns(plan.query.needs(), plan.domain, file)
    file.write_text(separator.join(["age", "sight"]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="site"):
        _check_columns(plan.query.needs(), plan.domain, file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidArgument, match="cannot be read"):
        _check_columns(plan.query.needs(), plan.domain, file)


DECLARED = pets.Domain(
    stage=["1", "2", "3"], grade=[1, 2], code=["007", "010"], alive=[True, False], n=pets.Integer(0, 9)
)
HEADING, LINES = "stage,grade,code,alive,n\n", "".join(
    f"{1 + i % 3},{1 + i % 2},{('007', '010')[i % 2]},{i % 2 == 0},{i % 10}\n" for i in range(12)
)  # fmt: skip


@pytest.mark.parametrize("stray", ["odd,odd,odd,odd,odd", "1.5,1.5,7,1,1.5", ",,,,", "1,1,007,True,3"])
def test_one_patient_changes_no_other_cell(tmp_path, stray):
    """A reader that guesses types from all rows lets one row move a whole table, and noise for one hides nothing."""
    (tmp_path / "rows.csv").write_text(HEADING + LINES)
    (tmp_path / "more.csv").write_text(HEADING + LINES + stray + "\n")
    for read in (cli_reader, site_reader, synth_reader):
        less, more = (read(tmp_path / name) for name in ("rows.csv", "more.csv"))
        for name in DECLARED.names:
            bound = pets.Count(by=[name]).bind(DECLARED.replace(n=pets.Integer(0, 9, bins=[0, 5, 9])))
            before, after = bound.tally(less).values, bound.tally(more).values
            assert abs(after - before).sum() <= 1, name
            assert before[:-1].sum() == 12, name


def cli_reader(path):
    return cli._read(path, DECLARED)


def site_reader(path):
    return cli_federation._read(path, DECLARED)


def synth_reader(path):
    return cli_synth._read(path, DECLARED, only_declared=True)
