"""The 18 identifiers: each is found by name and by content, and what is none is left alone."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from pets.disclosure.microdata import ZIP3_CENSUS_2000, check_safe_harbor
from pets.disclosure.microdata.safe_harbor_rules import IDENTIFIERS, letters_by_name, words_of
from pets.errors import InvalidArgument

ROWS = 24


def letters(name: str, values: object, **settings: object) -> set[str]:
    column = values if isinstance(values, list) else [values]
    frame = pd.DataFrame({name: (column * ROWS)[:ROWS]})
    return {found.letter for found in check_safe_harbor(frame, reference_year=2026, **settings).findings}


def test_all_eighteen_paragraphs_are_there():
    assert [identifier.letter for identifier in IDENTIFIERS] == list("ABCDEFGHIJKLMNOPQR")


@pytest.mark.parametrize(("name", "letter"), [
    ("LastName", "A"), ("patient_surname", "A"), ("Vorname", "A"), ("home address", "B"), ("CITY", "B"),
    ("zip_code", "B"), ("date_of_birth", "C"), ("DOB", "C"), ("month", "C"), ("homePhone", "D"), ("fax", "E"),
    ("email", "F"), ("e-mail", "F"), ("SSN", "G"), ("mrn", "H"), ("PatientID", "H"), ("medicaid_number", "I"),
    ("bank_account", "J"), ("drivers_licence", "K"), ("VIN", "L"), ("device_serial", "M"), ("homepage_url", "N"),
    ("ip_address", "O"), ("fingerprint", "P"), ("portrait", "Q"), ("specimen_id", "R"), ("uuid", "R"),
])  # fmt: skip
def test_found_by_name(name, letter):
    assert letter in letters_by_name(name)
    assert letter in letters(name, "x") or letter == "B"  # a ZIP column is judged by its values
    assert letter in letters(name, [None]) or letters(name, [None]) == set()


@pytest.mark.parametrize(("value", "letter"), [
    ("60601-1234", "B"), ("2018-03-05", "C"), ("5/3/2018", "C"), ("05.03.2018", "C"), ("2018-03", "C"),
    ("5 March 2018", "C"), ("diagnosed Mar 5, 2018 in clinic", "C"), ("20180305", "C"), (20180305, "C"),
    (dt.date(2018, 3, 5), "C"), (pd.Timestamp("2018-03-05"), "C"), ("(212) 555-1234", "D"), ("+33 1 2345 6789", "D"),
    ("+4915112345678", "D"), ("212-555-1234", "D"), ("ada@lovelace.example", "F"), ("mail ada@x.org now", "F"),
    ("123-45-6789", "G"), ("MRN: 88123", "H"), ("GB82 WEST 1234 5698 7654 32", "J"), ("1M8GDM9AXKP042788", "L"),
    ("00:1A:2b:3c:4d:5e", "M"), ("(01)00844588003288", "M"), ("https://x.example/a", "N"), ("see www.x.org", "N"),
    ("192.168.7.31", "O"), ("2001:db8::8a2e:370:7334", "O"), ("face.jpg", "Q"),
    ("550e8400-e29b-41d4-a716-446655440000", "R"),
])  # fmt: skip
def test_found_by_content_whatever_the_column_is_called(value, letter):
    assert letter in letters("remark", value)


@pytest.mark.parametrize(("name", "values"), [
    ("year", [2018, 2019]), ("year_of_diagnosis", ["2018"]), ("sex", ["f", "m"]), ("stage", ["II", "IIIa"]),
    ("diagnosis", ["C91.0", "C92.0"]), ("morphology", ["9811/3", "8960/3"]), ("days_to_relapse", [12, 700]),
    ("number_of_courses", [3]), ("age", [3, 17]), ("age_group", ["0-4", "10-14", "90+"]), ("dose_mg", [12.5, 1000.25]),
    ("drug_name", ["vincristine"]), ("country_name", ["France"]), ("score", ["1-2-3"]), ("ratio", ["1.2.3"]),
    ("gcs", ["4:5:6"]), ("karyotype", ["46,XX,t(9;22)"]), ("hla", ["A*02:01"]), ("birth_year", [2010, 2015]),
    ("protocol", ["UMBRELLA SIOP 2016"]), ("alive", [True, False]), ("gene", ["MYCN"]), ("iban_like", [None]),
])  # fmt: skip
def test_ordinary_registry_columns_are_left_alone(name, values):
    assert letters(name, values) <= ({"J"} if name == "iban_like" else set())


@pytest.mark.parametrize("wrong", ["GB82 WEST 1234 5698 7654 33", "1M8GDM8AXKP042788", "999.1.1.1", "000-12-3456"])
def test_check_digits_are_checked(wrong):
    assert not letters("remark", wrong) & {"J", "L", "O", "G"}


def test_ages_over_89_and_years_that_tell_them():
    assert letters("age", [5, 89]) == set()
    assert letters("age", [5, 90]) == {"C"} == letters("age_years", ["91", "7"])
    assert letters("birth_year", [1937]) == set()
    assert letters("birth_year", [1936]) == {"C"}
    frame = pd.DataFrame({"age": [95, 95, 20, None]})
    assert check_safe_harbor(frame).findings[0].cells == 2


def test_zip_codes():
    assert letters("zip", ["60601", "10027"]) == {"B"}
    assert letters("zip", [60601]) == {"B"}
    assert letters("origin", ["60601", "10027"]) == {"B"}
    assert letters("zip3", ["606", "100"]) == {"B"}, "cannot be judged without the list"
    assert letters("zip3", ["606", "100", "000"], small_zip3=ZIP3_CENSUS_2000) == set()
    assert letters("zip3", ["606", "036"], small_zip3=ZIP3_CENSUS_2000) == {"B"}
    assert letters("zip3", ["606**"], small_zip3={"606"}) == {"B"}
    assert len(ZIP3_CENSUS_2000) == 17


def test_free_text_and_unique_codes():
    notes = [f"The family moved away after treatment number {i} had begun" for i in range(ROWS)]
    assert letters("remark", notes) == {"any"}
    assert letters("remark", [f"k{i * 7919}" for i in range(ROWS)]) == {"R"}
    assert letters("value", list(range(ROWS))) == {"R"}
    assert letters("value", [i / 7 for i in range(ROWS)]) == set()


def test_every_engine_gives_the_same(make):
    rows = {
        "zip": ["60601"] * 3,
        "age": [3, 91, None],
        "contact": ["a@b.org", None, "x"],
        "born": [dt.date(2010, 1, 2)] * 3,
    }
    found = check_safe_harbor(make(rows)).findings
    assert [(f.column, f.letter, f.cells) for f in found][:3] == [("zip", "B", 3), ("age", "C", 1), ("contact", "F", 1)]


def test_the_report_says_what_to_do_and_shows_no_cell():
    secret = ["ada@lovelace.example", "123-45-6789", "60601", "Ada", 97]
    frame = pd.DataFrame(
        {"mail": [secret[0]], "no": [secret[1]], "zip": [secret[2]], "name": [secret[3]], "age": [secret[4]]}
    )
    found = check_safe_harbor(frame)
    shown = str(found) + found._repr_html_() + found.to_frame().to_string()
    assert all(str(value) not in shown for value in secret)
    assert not found.clean and found.to_frame().action.str.len().min() > 5
    assert "not enough for rare diseases" in str(found) and "no proof" in found._repr_html_()
    clean = check_safe_harbor(frame[["age"]].assign(age=3))
    assert clean.clean and "not enough for rare diseases" in str(clean)


def test_html_is_escaped():
    found = check_safe_harbor(pd.DataFrame({"<script>name</script>": ["x"]}))
    assert "<script>" not in found._repr_html_()


def test_words_of_a_name():
    assert words_of("PatientID") == "patient_id" and words_of("ZIP Code") == "zip_code" and words_of("dob2") == "dob2"


@pytest.mark.parametrize("bad", [["36"], [36], ["abc"]])
def test_bad_lists_of_areas_are_refused(bad):
    with pytest.raises(InvalidArgument) as caught:
        check_safe_harbor(pd.DataFrame({"a": [1]}), small_zip3=bad)
    assert caught.value.argument == "small_zip3"
