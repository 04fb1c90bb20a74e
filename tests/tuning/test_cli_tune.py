"""`pets tune` and `pets verify` as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pets.cli import _exit_code, app
from pets.errors import PetsError
from pets.identity import Identity, Roster
from pets.tuning import demo_plan, to_toml

COUNTS = "site,sex,count,person_years\nliver,f,3,100000\nliver,m,0,110000\nkidney,f,27,100000\nkidney,m,19,110000\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "counts.csv").write_text(COUNTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def pets(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> tuple[int, str]:
    """Return exit code and message, as `pets.cli.main` makes them of an error."""
    result = pets(*arguments)
    assert isinstance(result.exception, PetsError), result.output
    return _exit_code(result.exception), str(result.exception)


TUNE = ("tune", "--planning", "counts.csv", "--source", "annual report 2024, table 3", "--built", "2026-01-01")


def test_a_table_alone_gives_a_page_and_the_answer_in_short(folder: Path) -> None:
    result = pets(*TUNE, "-o", "page.html")
    assert result.exit_code == 0, result.output
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") or page.lower().startswith("<!doctype html>")
    assert "annual report 2024, table 3" in page
    for words in ("16 cases become", "27 would make the best guesser", "left after this plan", "smallest epsilon"):
        assert words in result.output


def test_numbers_for_programs(folder: Path) -> None:
    result = pets(*TUNE, "--json", "--epsilon", "0.5")
    document = json.loads(result.stdout)
    assert document["privacy"]["epsilon"] == 0.5
    assert [cell["count"] for cell in document["tables"][0]["cells"]] == [3, 0, 27, 19]
    assert not list(folder.glob("*.html"))


def test_the_demo(folder: Path) -> None:
    result = pets("tune", "--demo", "--built", "2026-01-01")
    assert result.exit_code == 0, result.output
    assert "Childhood cancers in five Nordic countries" in result.output
    assert (folder / "tune.html").stat().st_size < 300 * 1024


def test_an_exported_plan_builds_the_same_page(folder: Path) -> None:
    assert pets(*TUNE, "-o", "one.html", "--export", "plan.toml").exit_code == 0
    assert pets("tune", "plan.toml", "-o", "two.html").exit_code == 0
    assert (folder / "one.html").read_bytes() == (folder / "two.html").read_bytes()


def test_over_budget_nothing_is_written(folder: Path) -> None:
    code, words = refused(*TUNE, "--epsilon", "4", "-o", "page.html", "--export", "plan.toml")
    assert code == 3
    assert "4" in words
    assert sorted(path.name for path in folder.iterdir()) == ["counts.csv"]
    result = pets(*TUNE, "--epsilon", "4", "-o", "page.html")
    assert result.exit_code == 0
    assert "OVER the budget" in result.output


def test_internal_pages_are_marked(folder: Path) -> None:
    code, words = refused(*TUNE, "--confidential", "-o", "page.html")
    assert code == 1
    assert "--internal" in words
    assert "PrivateTuning" in words
    result = pets(*TUNE, "--confidential", "--internal", "-o", "page.html", "--export", "plan.toml")
    assert result.exit_code == 0, result.output
    assert "INTERNAL - NOT FOR RELEASE" in result.output
    text = (folder / "plan.toml").read_text(encoding="utf-8")
    assert "counts = [" not in text
    assert 'digest = ""' in text  # the digest of a small table can be guessed back


def test_confidential_counts_do_not_become_published_on_the_way_back(folder: Path) -> None:
    assert pets(*TUNE, "--confidential", "--internal", "-o", "page.html", "--export", "plan.toml").exit_code == 0
    again = ("tune", "plan.toml", "--planning", "counts.csv")
    code, words = refused(*again, "-o", "again.html", "--export", "again.toml")
    assert (code, "--confidential --internal" in words) == (1, True)
    assert sorted(path.name for path in folder.iterdir()) == ["counts.csv", "page.html", "plan.toml"]
    assert pets(*again, "--confidential", "--internal", "-o", "again.html").exit_code == 0
    assert (folder / "page.html").read_bytes() == (folder / "again.html").read_bytes()


def test_a_budget_that_nobody_stated_is_called_assumed(folder: Path) -> None:
    result = pets(*TUNE, "--export", "plan.toml")
    assert "Budget (assumed, since no account was given): 2 of 3 left" in result.output
    text = (folder / "plan.toml").read_text(encoding="utf-8")
    assert "assumed = true" in text
    assert "(assumed" in pets("tune", "plan.toml").output
    (folder / "plan.toml").write_text(text.replace("assumed = true", "assumed = false"), encoding="utf-8")
    assert "(assumed" not in pets("tune", "plan.toml").output


def test_nothing_that_is_read_is_replaced(folder: Path) -> None:
    before = (folder / "counts.csv").read_bytes()
    assert "--output" in refused(*TUNE, "-o", "counts.csv")[1]
    assert "--export" in refused(*TUNE, "--export", "counts.csv")[1]
    assert "--export" in refused(*TUNE, "-o", "one.html", "--export", "one.html")[1]
    assert [path.name for path in folder.iterdir()] == ["counts.csv"]
    assert (folder / "counts.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tune", "counts.csv"), "--planning counts.csv"),
        ((*TUNE[:-1], "yesterday"), "2026-01-31"),
        ((*TUNE, "-o", "no/where/page.html"), "Make the folder first"),
        (("tune",), "pets tune --demo"),
        (("tune", "--planning", "none.csv", "--source", "x"), "cannot be read"),
        (("tune", "--demo", "--planning", "counts.csv"), "--demo"),
        (("tune", "--demo", "--source", "x"), "--demo"),
        ((*TUNE, "--epsilon", "zero"), "epsilon"),
        ((*TUNE, "--epsilon", "50"), "0.05 to 10"),
        ((*TUNE, "--sign", "FR.key"), "-o tune.html"),
        ((*TUNE, "-o", "page.html", "--language", "xx"), "language"),
        (("tune", "nothing.toml"), "nothing.toml"),
    ],
)
def test_refusals_say_what_to_do(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    del folder
    code, said = refused(*arguments)
    assert code == 1
    assert words in said


def test_a_signed_report_is_verified_and_a_changed_one_is_not(folder: Path) -> None:
    signer = Identity.new("FR")
    signer.save(folder / "FR.key")
    (folder / "FR.public.toml").write_text(signer.public.to_toml(), encoding="utf-8")
    (folder / "roster.toml").write_text(Roster([signer.public]).to_toml(), encoding="utf-8")
    other = Identity.new("FR")
    (folder / "other.public.toml").write_text(other.public.to_toml(), encoding="utf-8")
    assert pets(*TUNE, "-o", "page.html", "--sign", "FR.key").exit_code == 0
    for keys in ("FR.public.toml", "roster.toml"):
        result = pets("verify", "page.html", "--by", keys)
        assert result.exit_code == 0, result.output
        assert signer.public.fingerprint in result.output
    code, words = refused("verify", "page.html", "--by", "other.public.toml")
    assert (code, "not by the keys" in words) == (4, True)
    page = (folder / "page.html").read_text(encoding="utf-8")
    (folder / "page.html").write_text(page.replace("annual", "ANNUAL"), encoding="utf-8")
    code, words = refused("verify", "page.html", "--by", "FR.public.toml")
    assert (code, "not the one that was signed" in words) == (4, True)


def test_a_signature_for_another_purpose_or_with_an_edited_digest_fails(folder: Path) -> None:
    import hashlib

    from pets.tuning.signing import Signature

    signer = Identity.new("FR")
    page = b"a page"
    right = Signature.of(page, signer)
    right.verify(page, signer.public)
    forged = Signature("FR", signer.public.fingerprint, hashlib.sha256(b"another").hexdigest(), right.signature)
    (folder / "other.html").write_bytes(b"another")
    (folder / "other.html.sig").write_text(forged.to_toml(), encoding="utf-8")
    (folder / "FR.public.toml").write_text(signer.public.to_toml(), encoding="utf-8")
    assert refused("verify", "other.html", "--by", "FR.public.toml")[0] == 4
    elsewhere = Signature("FR", signer.public.fingerprint, right.sha256, signer.sign(page, "another purpose"))
    with pytest.raises(PetsError, match="signature of 'FR'"):
        elsewhere.verify(page, signer.public)


@pytest.mark.parametrize("text", ["", "format = 'x'\n", "not toml ["])
def test_what_is_no_signature_is_refused(folder: Path, text: str) -> None:
    (folder / "page.html").write_text("x", encoding="utf-8")
    (folder / "page.html.sig").write_text(text, encoding="utf-8")
    (folder / "FR.public.toml").write_text(Identity.new("FR").public.to_toml(), encoding="utf-8")
    assert refused("verify", "page.html", "--by", "FR.public.toml")[0] == 1


def test_a_language_of_the_page(folder: Path) -> None:
    (folder / "demo.toml").write_text(to_toml(demo_plan("2026-01-01")), encoding="utf-8")
    assert pets("tune", "demo.toml", "--language", "de", "-o", "de.html").exit_code == 0
    assert 'lang="de"' in (folder / "de.html").read_text(encoding="utf-8")[:400]


def test_help_teaches(folder: Path) -> None:
    del folder
    text = pets("tune", "--help").output
    for words in ("--demo", "--planning", "Reads no confidential data", "Exit code"):
        assert words in text
    assert "--by" in pets("verify", "--help").output


def test_counts_without_a_source_are_planned_with_and_the_page_says_so(folder: Path) -> None:
    done = CliRunner().invoke(app, ["tune", "--planning", "counts.csv", "-o", "page.html", "--built", "2026-01-01"])
    assert done.exit_code == 0, done.output
    assert "--source" in done.stderr
    assert "counts.csv (nobody has said where it was published)" in (folder / "page.html").read_text(encoding="utf-8")


def test_a_report_without_its_signature_names_the_option(folder: Path) -> None:
    (folder / "page.html").write_text("x", encoding="utf-8")
    (folder / "FR.public.toml").write_text(Identity.new("FR").public.to_toml(), encoding="utf-8")
    code, words = refused("verify", "page.html", "--by", "FR.public.toml")
    assert code == 1
    assert "--signature" in words
    assert "page.html.sig" in words


def test_what_nobody_has_said_is_listed_and_can_be_said(folder: Path) -> None:
    said = " ".join(pets("tune", "--planning", "counts.csv").output.split())
    assert "Assumed, since nobody has said otherwise: epsilon 1;" in said
    assert "1 registry (--sites)" in said
    more = " ".join(pets("tune", "--planning", "counts.csv", "--sites", "7", "--epsilon", "2").output.split())
    assert "registry (--sites)" not in more
    assert "epsilon 2;" not in more.partition("Assumed")[2]
    (folder / "demo.toml").write_text(to_toml(demo_plan("2026-01-01")), encoding="utf-8")
    assert "Assumed" not in pets("tune", "demo.toml").output


def test_assumptions_survive_the_way_to_the_plan_and_back(folder: Path) -> None:
    built = ("--built", "2026-01-01")
    assert pets("tune", "--planning", "counts.csv", "-o", "one.html", "--export", "out.toml", *built).exit_code == 0
    assert pets("tune", "out.toml", "-o", "two.html").exit_code == 0
    assert (folder / "one.html").read_bytes() == (folder / "two.html").read_bytes()
    assert 'assumed = "epsilon, unit, sites, aggregator, noise_at, rule"' in (folder / "out.toml").read_text("utf-8")
