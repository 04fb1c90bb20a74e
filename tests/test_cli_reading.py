"""Files with other separators are read by every command."""

import pytest
from typer.testing import CliRunner

from pets.cli import app


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_domain_is_suggested_from_any_dialect(tmp_path, separator):
    file = tmp_path / "cases.csv"
    rows = [("site", "age", "code")] + [(site, str(age), "007") for site in "AB" for age in range(10)]
    file.write_text("\n".join(map(separator.join, rows)), encoding="utf-8")
    found = CliRunner().invoke(app, ["suggest-domain", str(file)])
    assert found.exit_code == 0, found.output + repr(found.exception)
    for name in ("site", "age", "code"):
        assert f"[attributes.{name}]" in found.output
