"""Records of the North American Association of Central Cancer Registries: XML, and tables of items."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pets.epi.harmonise.crosswalk import Crosswalk
from pets.epi.harmonise.frames import Selection, csv_batches, dict_batches
from pets.epi.harmonise.naaccr_xml import dictionary_version, read_tumours
from pets.epi.harmonise.table import Harmonised, assembled
from pets.epi.iccc import Version
from pets.errors import InvalidArgument

ITEMS: Final[Mapping[str, tuple[int, str]]] = {
    "patientIdNumber": (20, "Patient ID Number"),
    "patientSystemIdHosp": (21, "Patient System ID-Hosp"),
    "registryId": (40, "Registry ID"),
    "addrAtDxState": (80, "Addr at DX--State"),
    "countyAtDxAnalysis": (89, "County at DX Analysis"),
    "countyAtDx": (90, "County at DX Reported"),
    "sex": (220, "Sex"),
    "sexAssignedAtBirth": (225, "Sex Assigned at Birth"),
    "ageAtDiagnosis": (230, "Age at Diagnosis"),
    "dateOfBirth": (240, "Date of Birth"),
    "dateOfDiagnosis": (390, "Date of Diagnosis"),
    "primarySite": (400, "Primary Site"),
    "histologicTypeIcdO3": (522, "Histologic Type ICD-O-3"),
    "behaviorCodeIcdO3": (523, "Behavior Code ICD-O-3"),
    "pediatricId": (1132, "Pediatric ID"),
    "torontoStageGroup": (1149, "Toronto Stage Group"),
    "dateOfLastContact": (1750, "Date of Last Contact"),
    "vitalStatus": (1760, "Vital Status"),
}
"""Items that the analysis table needs: XML name to number and name, in the data dictionaries 22 to 26."""

REGIONS: Final = ("addrAtDxState", "countyAtDx", "countyAtDxAnalysis", "registryId")
"""Items that can say where a patient lived or was registered."""

_FIXED_WIDTH = re.compile(rb"[ACILMU].{15}[01]\d\d", re.DOTALL)
_SHORTEST_RECORD, _LONGEST_RECORD = 500, 30_000

VERSIONS: Final = ("220", "230", "240", "250", "260")
"""Base dictionaries with which the items were compared."""


def harmonise_naaccr(
    path: str | os.PathLike[str], *, region: str = "addrAtDxState", iccc: Version = "IARC 2017"
) -> Harmonised:
    """Return the records of a NAACCR file as the analysis table.

    Parameters
    ----------
    path
        NAACCR XML (``.xml``, ``.xml.gz``), read as a stream with one patient in memory at a time; or a table in a text
        file whose columns are items by XML name (``primarySite``), number (``400``) or name (``Primary Site``).
    region
        Item that becomes the region, one of ``addrAtDxState``, ``countyAtDx``, ``countyAtDxAnalysis``, ``registryId``.
    iccc
        Version of ICCC-3: ``'IARC 2017'``, or ``'WHO 2008'`` for older codes.

    Raises
    ------
    InvalidArgument
        The file cannot be read, is no NAACCR XML or declares entities; or there is no such item or
        version.
    DataError
        A table lacks an item that the analysis table cannot do without.
    """
    if region not in REGIONS:
        raise InvalidArgument("region", f"cannot be {region!r}", f"Give one of {', '.join(REGIONS)}.")
    crosswalk = Crosswalk.shipped("naaccr")
    crosswalk = replace(crosswalk, columns={**crosswalk.columns, "region": (region,)}, iccc=iccc)
    file = Path(path)
    if ".xml" in (suffix.lower() for suffix in file.suffixes[-2:]):
        numbers = {name: number for name, (number, _) in ITEMS.items()}
        selection = Selection(crosswalk, list(crosswalk.needed))
        batches = dict_batches(read_tumours(file, numbers), selection)
        version = dictionary_version(file)
        notes = [
            (f"base dictionary {version or 'not named'}, not one of {', '.join(VERSIONS)}", version not in VERSIONS)
        ]
        return assembled(batches, crosswalk, notes)
    _refuse_fixed_width(file)
    aliases = {str(number): name for name, (number, _) in ITEMS.items()}
    aliases |= {title.lower(): name for name, (_, title) in ITEMS.items()}
    batches, _ = csv_batches(file, crosswalk, aliases)
    return assembled(batches, crosswalk)


def _refuse_fixed_width(path: Path) -> None:
    """Refuse the records of the layouts up to version 18, which have no heading; its text would be taken for one.

    Column 1 holds the record type and columns 17 to 19 the version of the layout. The places of the other items changed
    with it, and the layouts were withdrawn, so they are not guessed here.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(_LONGEST_RECORD)
    except OSError:
        return  # who reads the file says so
    if len(first) > _SHORTEST_RECORD and _FIXED_WIDTH.match(first):
        raise InvalidArgument(
            "FILE", f"{path.name} holds fixed-width records, of layout {first[16:19].decode()}",
            "Since version 21 NAACCR data are XML: convert the file with NAACCR's own tools (File*Pro, naaccr-xml).",
        )  # fmt: skip
