"""NAACCR files: what is read, what is reported, and what hostile files cannot do."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pets.epi.harmonise import harmonise_naaccr
from pets.epi.harmonise.naaccr import ITEMS
from pets.epi.harmonise.naaccr_xml import read_tumours
from pets.errors import DataError, InvalidArgument

NUMBERS = {name: number for name, (number, _) in ITEMS.items()}
CHILD = {
    "patientIdNumber": "00000001", "sexAssignedAtBirth": "2", "dateOfBirth": "20120310",
    "dateOfLastContact": "20200601", "vitalStatus": "1",
}  # fmt: skip
LIVER = {
    "primarySite": "C220", "histologicTypeIcdO3": "8970", "behaviorCodeIcdO3": "3", "dateOfDiagnosis": "20140315",
    "addrAtDxState": "NY", "torontoStageGroup": "L2", "ageAtDiagnosis": "002",
}  # fmt: skip
NEURO = {"primarySite": "C749", "histologicTypeIcdO3": "9500", "behaviorCodeIcdO3": "3", "dateOfDiagnosis": "20130101"}
Write = Callable[..., Path]


def codes(found):
    return {(item.column, item.code, item.reason): item.rows for item in found.report.unmapped}


def test_a_child_with_two_tumours(naaccr: Write):
    found = harmonise_naaccr(naaccr([(CHILD, [LIVER, {**NEURO, "torontoStageGroup": "M"}])]))
    assert found.frame.to_dict("list") == {
        "patient": ["00000001"] * 2, "tumour": [2, 1], "group": ["VII", "IV"], "diagnosis": ["VIIa", "IVa"],
        "age": [2, 0], "sex": ["female"] * 2, "year": [2014, 2013], "region": ["NY", np.nan],
        "stage": ["localised", "metastatic"], "time": [2270, 2708], "event": ["alive"] * 2,
    }  # fmt: skip
    assert found.report.records == 2 and found.report.unmapped == ()
    assert found.report.summary() == "Every code has a place."


def test_spellings_of_one_file_agree(naaccr: Write, tmp_path: Path):
    path = naaccr([(CHILD, [LIVER])])
    text = path.read_text()
    expected = harmonise_naaccr(path).frame
    by_number = text
    for name, number in NUMBERS.items():
        by_number = by_number.replace(f'naaccrId="{name}"', f'naaccrNum="{number}"')
    prefixed = (
        text.replace("<", "<n:").replace("<n:/", "</n:").replace("<n:?xml", "<?xml").replace("xmlns=", "xmlns:n=")
    )
    foreign = (
        '<x:note xmlns:x="urn:x"><x:Item naaccrId="primarySite">C999</x:Item><Item naaccrId="sex">1</Item></x:note>'
    )
    spellings = {
        "numbers": by_number,
        "prefix": prefixed,
        "no namespace": text.replace(' xmlns="http://naaccr.org/naaccrxml"', ""),
        "extension": text.replace("<Tumor>", foreign + "<Tumor>" + foreign),
        "item of another standard": text.replace(
            "<Tumor>", '<Tumor><x:Item xmlns:x="urn:x" naaccrId="primarySite">C999</x:Item>'
        ),
        "comments": text.replace("C220", "C2<!-- x -->20").replace("8970", "<![CDATA[8970]]>"),
        "blanks": text.replace(">C220<", ">\n  C220  <"),
        "older": text.replace("sexAssignedAtBirth", "sex").replace("-250.xml", "-220.xml"),
        "latin": text.replace('version="1.0"', 'version="1.0" encoding="ISO-8859-1"'),
    }
    for name, content in spellings.items():
        other = tmp_path / f"{name}.xml"
        other.write_text(content)
        pd.testing.assert_frame_equal(harmonise_naaccr(other).frame, expected)
    packed = tmp_path / "cases.xml.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    pd.testing.assert_frame_equal(harmonise_naaccr(packed).frame, expected)
    table = pd.DataFrame([{**CHILD, **LIVER}])
    titles = {name: title for name, (_, title) in ITEMS.items()}
    for columns in ({}, {name: str(number) for name, number in NUMBERS.items()}, titles):
        table.rename(columns=columns).assign(more="x").to_csv(tmp_path / "cases.csv", index=False)
        pd.testing.assert_frame_equal(harmonise_naaccr(tmp_path / "cases.csv").frame, expected)


def test_codes_without_a_place_are_reported_and_the_tumour_stays(naaccr: Write):
    odd = {
        "primarySite": "C220", "histologicTypeIcdO3": "8170", "behaviorCodeIcdO3": "2", "dateOfDiagnosis": "20159931",
        "ageAtDiagnosis": "X",
    }  # fmt: skip
    person = {**CHILD, "sexAssignedAtBirth": "7", "vitalStatus": "8", "dateOfBirth": "2012-13-01"}
    found = harmonise_naaccr(naaccr([(person, [odd] * 6), (CHILD, [LIVER, {**LIVER, "torontoStageGroup": "QQ"}])]))
    assert len(found.frame) == 8
    assert codes(found) == {
        ("diagnosis", "C220 8170 2", "combination"): 6, ("sex", "7", "no meaning"): 6,
        ("vital_status", "8", "no meaning"): 6, ("birth_date", "2012-13-01", "no date"): 6,
        ("age", "X", "no number"): 6, ("stage", "7a QQ", "unknown stage"): 1,
    }  # fmt: skip
    assert found.frame.loc[0, ["diagnosis", "sex", "event", "age"]].isna().all()
    text = found.report.to_text()
    assert (
        text.startswith("INTERNAL") and "C220 8170 2 (combination): 6" in text and "7a QQ (unknown stage): 1-4" in text
    )
    for shown in (repr(found), repr(found.report), repr(found.report.unmapped[0]), found.report.summary()):
        assert "8170" not in shown and "6" not in shown
    assert "diagnosis" in found.report.summary()


def test_unknown_codes_are_no_surprise(naaccr: Write):
    person = {**CHILD, "sexAssignedAtBirth": "9", "dateOfBirth": "", "dateOfLastContact": "99999999"}
    found = harmonise_naaccr(naaccr([(person, [{**LIVER, "ageAtDiagnosis": "999", "torontoStageGroup": "X"}])]))
    assert found.report.unmapped == ()
    assert found.frame.loc[0, ["sex", "age", "time", "stage"]].isna().all()
    assert found.report.notes["records without a time of follow-up"] == 1


def test_dates_known_in_part(naaccr: Write):
    person = {**CHILD, "dateOfBirth": "2012", "dateOfLastContact": "201503", "vitalStatus": "0"}
    tumour = {**LIVER, "dateOfDiagnosis": "2015", "ageAtDiagnosis": "999"}
    found = harmonise_naaccr(naaccr([(person, [tumour])]))
    row = found.frame.iloc[0]
    assert (row["year"], row["age"], row["event"]) == (2015, 2, "dead")
    assert 0 <= row["time"] <= 90, "diagnosed between January and March 2015"
    contradiction = {**LIVER, "dateOfDiagnosis": "20210101"}
    late = harmonise_naaccr(naaccr([(CHILD, [contradiction])]))
    assert late.frame["time"].isna().all()
    assert late.report.notes["follow-up ends before diagnosis: taken as unknown"] == 1


def test_the_stated_age_counts_and_a_difference_is_noted(naaccr: Write):
    found = harmonise_naaccr(naaccr([(CHILD, [{**LIVER, "ageAtDiagnosis": "007"}])]))
    assert found.frame["age"].tolist() == [7]
    sentence = "stated age differs by more than a year from the dates: the stated one is taken"
    assert found.report.notes[sentence] == 1


def test_region_of_choice(naaccr: Write):
    path = naaccr([(CHILD, [{**LIVER, "countyAtDx": "061"}])])
    assert harmonise_naaccr(path, region="countyAtDx").frame["region"].tolist() == ["061"]
    with pytest.raises(InvalidArgument, match="region"):
        harmonise_naaccr(path, region="addrAtDxCity")


def test_version_of_the_classification(naaccr: Write):
    """8085/3, squamous cell carcinoma that is positive for a virus, came with the later version."""
    path = naaccr([(CHILD, [{**LIVER, "primarySite": "C019", "histologicTypeIcdO3": "8085"}])])
    assert harmonise_naaccr(path).frame["diagnosis"].tolist() == ["XIf"]
    assert harmonise_naaccr(path, iccc="WHO 2008").frame["diagnosis"].isna().all()
    with pytest.raises(InvalidArgument, match="version"):
        harmonise_naaccr(path, iccc="WHO 1999")  # type: ignore[arg-type]


def test_no_tumours(naaccr: Write):
    found = harmonise_naaccr(naaccr([(CHILD, [])]))
    assert len(found.frame) == 0 and found.frame.columns[0] == "patient"


BOMB = "<!DOCTYPE NaaccrData [" + "".join(
    f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(10)
) + "]>"  # fmt: skip
DECLARATIONS = {
    "billion laughs": BOMB,
    "external entity": '<!DOCTYPE NaaccrData [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
    "parameter entity": '<!DOCTYPE NaaccrData [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]>',
    "external subset": '<!DOCTYPE NaaccrData SYSTEM "file:///etc/hostname">',
}


@pytest.mark.parametrize("kind", DECLARATIONS)
def test_declarations_are_refused(naaccr: Write, kind: str):
    tumour = {**LIVER, "addrAtDxState": "REPLACE"}
    path = naaccr([(CHILD, [tumour])], head=DECLARATIONS[kind])
    path.write_text(path.read_text().replace("REPLACE", "&a9;" if kind == "billion laughs" else "&x;"))
    with pytest.raises(InvalidArgument, match="declares a document type"):
        harmonise_naaccr(path)


BROKEN = {
    "not xml": "a,b\n1,2\n",
    "cut off": "<NaaccrData><Patient><Item",
    "other root": "<html><body/></html>",
    "undefined entity": "<NaaccrData><Patient><Item naaccrId='sex'>&x;</Item></Patient></NaaccrData>",
    "twice": "<NaaccrData><Patient><Item naaccrId='sex'>1</Item><Item naaccrId='sex'>2</Item></Patient></NaaccrData>",
    "deep": "<NaaccrData>" + "<Patient>" * 100_000,
    "long tag": "<NaaccrData x='" + "y" * 5_000_000,
    "empty": "",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused(tmp_path: Path, kind: str):
    path = tmp_path / "cases.xml"
    path.write_text(BROKEN[kind])
    with pytest.raises(InvalidArgument, match="FILE"):
        harmonise_naaccr(path)


def test_files_that_are_not_there(tmp_path: Path):
    for name in ("no.xml", "no.csv", "no.xml.gz"):
        with pytest.raises(InvalidArgument, match=r"no\."):
            harmonise_naaccr(tmp_path / name)
    (tmp_path / "false.xml.gz").write_bytes(b"<NaaccrData/>")
    with pytest.raises(InvalidArgument, match="cannot be read"):
        harmonise_naaccr(tmp_path / "false.xml.gz")
    (tmp_path / "few.csv").write_text("patientIdNumber,primarySite\n1,C220\n")
    with pytest.raises(DataError, match="histologicTypeIcdO3"):
        harmonise_naaccr(tmp_path / "few.csv")


def test_memory_does_not_grow_with_the_file(naaccr: Write):
    def peak(patients: int) -> int:
        text = {**LIVER, "textRemarks": "x" * 2000}
        path = naaccr([({**CHILD, "patientIdNumber": f"{i:08d}"}, [text]) for i in range(patients)])
        tracemalloc.start()
        read = sum(1 for _ in read_tumours(path, NUMBERS))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert read == patients
        return found

    small, large = peak(300), peak(3000)
    assert large < 1.5 * small
    assert large < 2000 * 3000, "the free text of the file alone has more"


@pytest.mark.parametrize(("kind", "version", "length"), [("I", "180", 4048), ("A", "160", 22824), ("C", "122", 5564)])
def test_fixed_width_records_are_refused_with_the_way_out(tmp_path: Path, kind: str, version: str, length: int):
    """Their first line would be taken for a heading, and the errors would speak of a missing column."""
    record = f"{kind:<16}{version}".ljust(length - 12, "0") + "C220 81703  "
    path = tmp_path / "records.txt"
    path.write_text(f"{record}\n{record}\n", encoding="latin-1")
    with pytest.raises(InvalidArgument, match=f"fixed-width records, of layout {version}") as caught:
        harmonise_naaccr(path)
    assert "XML" in caught.value.remedy
    assert "8170" not in str(caught.value)


def test_a_table_whose_first_column_begins_so_is_read(tmp_path: Path):
    names = ["Addr at DX--State", "patientIdNumber", "primarySite", "histologicTypeIcdO3", "behaviorCodeIcdO3",
             "dateOfDiagnosis"]  # fmt: skip
    path = tmp_path / "table.csv"
    path.write_text(",".join(names) + "\nNY,1,C220,8170,3,20150601\n", encoding="utf-8")
    assert harmonise_naaccr(path).frame["diagnosis"].tolist() == ["VIIb"]
