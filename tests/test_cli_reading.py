"""Files with other separators are read by every command."""

import pytest
from typer.testing import CliRunner

import pets
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
    _check_columns(plan, file)
    file.write_text(separator.join(["age", "sight"]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="site"):
        _check_columns(plan, file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidArgument, match="cannot be read"):
        _check_columns(plan, file)
