"""The 18 identifiers of 45 CFR 164.514(b)(2)(i), (A) to (R): what they are called, and what to do about each.

Reference
---------
45 CFR 164.514(b)(2); Office for Civil Rights, "Guidance regarding methods for de-identification of protected health
information in accordance with the HIPAA Privacy Rule", 2012.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Identifier:
    """One kind of identifier.

    Attributes
    ----------
    letter
        Its paragraph.
    name
        What it is.
    action
        What to do about a column of it.
    words
        Regular expression over the words of a column's name, joined by underscores.
    """

    letter: str
    name: str
    action: str
    words: str


def _any(*words: str) -> str:
    return rf"(?:^|_)(?:{'|'.join(words)})(?=_|$)"


IDENTIFIERS = (
    Identifier(
        "A", "Names", "Drop the column.",
        _any("name", "names", "surname", "forename", "firstname", "lastname", "middlename", "maiden", "fullname",
             "initials", "nom", "prenom", "nachname", "vorname", "apellidos?", "nombre", "cognome", "alias"),
    ),
    Identifier(
        "B", "Geography smaller than a state",
        "Drop it, or keep the state; of a ZIP code keep three digits, and 000 for areas of 20,000 people or fewer.",
        _any("zip\\d*", "zipcode", "zcta\\d*", "postal", "postcode", "plz", "address", "street", "city", "town",
             "county", "district", "municipality", "precinct", "parish", "commune", "ward", "village", "tract", "block",
             "geocode", "lat", "latitude", "lon", "lng", "longitude", "fips", "lsoa", "nuts[23]",
             "neighbou?rhood", "region"),
    ),
    Identifier(
        "C", "Dates finer than a year, and ages over 89",
        "Keep the year, or days since diagnosis; pool ages over 89, and years that tell such an age, into one group.",
        _any("date", "dates", "dob", "dod", "day", "month", "week", "birthday", "birthdate", "datum", "fecha", "age",
             "timestamp", "datetime"),
    ),
    Identifier(
        "D", "Telephone numbers", "Drop the column.", _any("phone", "telephone", "tel", "mobile", "cell", "gsm")
    ),
    Identifier("E", "Fax numbers", "Drop the column.", _any("fax", "telefax")),
    Identifier("F", "Electronic mail addresses", "Drop the column.", _any("e_?mail", "mail", "emails")),
    Identifier(
        "G", "Social security numbers", "Drop the column.",
        _any("ssn", "social_security", "social_security_number", "nir", "insee", "bsn", "personnummer", "cpf"),
    ),
    Identifier(
        "H", "Medical record numbers",
        "Replace it by a code drawn at random (Crosswalk.draw_codes); a keyed pseudonym is derived from it.",
        _any("mrn", "medical_record", "medical_record_number", "chart", "chart_number", "hospital_number",
             "patient_number", "patient_id", "pat_id", "patid", "nhs_number", "record_number", "record_id",
             "case_number"),
    ),
    Identifier(
        "I", "Health plan beneficiary numbers", "Drop the column.",
        _any("insurance", "insurance_id", "policy", "member_id", "beneficiary", "medicare", "medicaid", "health_plan",
             "mbi", "hicn", "subscriber"),
    ),
    Identifier("J", "Account numbers", "Drop the column.", _any("account", "acct", "iban", "billing", "invoice")),
    Identifier(
        "K", "Certificate and licence numbers", "Drop the column.",
        _any("licen[cs]e", "certificate", "passport", "npi", "dea", "visa"),
    ),
    Identifier(
        "L", "Vehicle identifiers and licence plates", "Drop the column.",
        _any("vin", "vehicle", "plate", "license_plate", "registration_plate"),
    ),
    Identifier(
        "M", "Device identifiers and serial numbers", "Drop the column.",
        _any("device", "device_id", "serial", "serial_number", "udi", "imei", "imsi", "implant_id", "mac_address"),
    ),
    Identifier("N", "Web addresses", "Drop the column.", _any("url", "urls", "website", "homepage", "link")),
    Identifier("O", "IP addresses", "Drop the column.", _any("ip", "ip_address", "ipv4", "ipv6", "ipaddr")),
    Identifier(
        "P", "Biometric identifiers", "Drop the column.",
        _any("fingerprint", "voiceprint", "voice", "retina", "iris", "biometric", "dna", "genome", "gait"),
    ),
    Identifier(
        "Q", "Full-face photographs and comparable images", "Drop the column, and the files it names.",
        _any("photo", "photograph", "image", "picture", "portrait", "selfie", "face", "scan_file"),
    ),
    Identifier(
        "R", "Any other unique number, characteristic or code",
        "Drop it, or replace it by a code drawn at random (Crosswalk.draw_codes).",
        _any("id", "ids", "uid", "uuid", "guid", "identifier", "pseudonym", "specimen", "accession", "barcode",
             "username"),
    ),
)  # fmt: skip

BY_LETTER = {identifier.letter: identifier for identifier in IDENTIFIERS}

NOT_OF_PERSONS = re.compile(
    _any("drug", "gene", "variable", "column", "file", "test", "study", "trial", "protocol", "country", "site",
         "hospital", "morphology", "topography", "diagnosis", "disease", "regimen")
)  # fmt: skip
"""A column called drug_name or country_name holds no person's name."""

DURATIONS = re.compile(r"(?:^|_)(?:days|weeks|months|time)_(?:to|from|since|until)(?=_|$)|(?:^|_)(?:no|num|number)_of_")
"""A number of days between two events is no date."""


def words_of(name: str) -> str:
    """Return a column's name as lower-case words joined by underscores: ``PatientID`` gives ``patient_id``."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def letters_by_name(name: str) -> tuple[str, ...]:
    """Return the paragraphs that a column's name speaks of."""
    words = words_of(name)
    found = [identifier.letter for identifier in IDENTIFIERS if re.search(identifier.words, words)]
    if "A" in found and NOT_OF_PERSONS.search(words):
        found.remove("A")
    if "C" in found and DURATIONS.search(words):
        found.remove("C")
    if "R" in found and len(found) > 1:
        found.remove("R")  # a patient_id is (H) already
    return tuple(found)
