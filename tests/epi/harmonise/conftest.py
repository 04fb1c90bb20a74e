"""NAACCR XML as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

Items = Mapping[str, str]
ROOT = (
    '<NaaccrData baseDictionaryUri="http://naaccr.org/naaccrxml/naaccr-dictionary-{version}.xml" recordType="I" '
    'specificationVersion="1.8" xmlns="http://naaccr.org/naaccrxml">'
)


def document(patients: Sequence[tuple[Items, Sequence[Items]]], version: str = "250", head: str = "") -> str:
    def items(values: Items) -> str:
        return "".join(f'<Item naaccrId="{name}">{escape(text)}</Item>' for name, text in values.items())

    bodies = (
        f"<Patient>{items(person)}{''.join(f'<Tumor>{items(tumour)}</Tumor>' for tumour in tumours)}</Patient>\n"
        for person, tumours in patients
    )
    return f'<?xml version="1.0"?>\n{head}{ROOT.format(version=version)}\n{"".join(bodies)}</NaaccrData>'


@pytest.fixture
def naaccr(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of patients with their tumours."""

    def write(patients: Sequence[tuple[Items, Sequence[Items]]], version: str = "250", head: str = "") -> Path:
        path = tmp_path / "cases.xml"
        path.write_text(document(patients, version, head), encoding="utf-8")
        return path

    return write
