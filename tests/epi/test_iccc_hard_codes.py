"""Codes of ICCC-3 chosen from outside, not from the tables that pets ships: all groups, and what is easily mistaken.

The same histology by site (8000/3, 9084, 8963, 9364), tumours of the nervous system that are not malignant, and codes
that only look alike. Written down from the classification before pets was asked.
"""

from __future__ import annotations

import pytest

from pets.epi import iccc3

CODES = {
    "Ia": "C42.1 9811/3, C42.1 9837/3, C42.1 9835/3",
    "Ib": "C42.1 9861/3",
    "Ic": "C42.1 9863/3, C42.1 9875/3",
    "Id": "C42.1 9989/3, C42.1 9945/3, C42.1 9946/3",
    "Ie": "C42.1 9805/3, C42.1 9801/3",
    "IIa": "C77.0 9650/3",
    "IIb": "C77.9 9671/3, C77.9 9591/3",
    "IIc": "C77.9 9687/3",
    "IId": "C42.1 9751/3",
    "IIe": "C77.9 9590/3",
    "IIIa": "C71.6 9383/1, C71.5 9390/0, C71.5 9390/3",
    "IIIb": "C71.0 9400/3, C72.3 9380/3, C71.6 9421/1",
    "IIIc": "C71.6 9470/3, C71.0 9473/3, C71.9 9508/3, C71.0 9501/3",
    "IIId": "C71.1 9382/3, C71.1 9450/3",
    "IIIe": "C71.2 9505/1, C75.1 8272/0, C75.2 9350/1, C75.3 9361/1, C70.0 9530/0, C71.0 9413/0, C71.0 9506/1, "
    "C71.0 9492/0",
    "IIIf": "C71.9 8000/3, C72.0 8000/0, C71.9 8000/1, C75.1 8000/1",
    "IVa": "C74.1 9500/3, C74.1 9490/3, C71.0 9490/3",
    "IVb": "C74.1 8700/3, C30.0 9522/3, C48.0 9501/3, C75.5 8680/3, C74.9 8693/3",
    "V": "C69.2 9510/3, C69.2 9512/3",
    "VIa": "C64.9 8960/3, C64.9 8963/3, C64.9 8964/3, C64.9 8966/3",
    "VIb": "C64.9 8312/3, C64.9 8010/3, C64.9 8260/3",
    "VIc": "C64.9 8000/3",
    "VIIa": "C22.0 8970/3",
    "VIIb": "C22.0 8170/3, C22.0 8171/3, C22.0 8160/3, C22.1 8160/3",
    "VIIc": "C22.0 8000/3",
    "VIIIa": "C40.2 9180/3",
    "VIIIb": "C41.4 9220/3",
    "VIIIc": "C41.4 9260/3, C41.4 9364/3",
    "VIIId": "C40.2 8812/3, C40.2 9250/3, C41.2 9370/3, C40.2 9261/3",
    "VIIIe": "C40.2 8000/3, C40.2 8800/3",
    "IXa": "C49.9 8900/3, C49.9 8910/3",
    "IXb": "C49.2 8810/3, C49.2 9540/3, C49.2 8814/3",
    "IXc": "C46.0 9140/3",
    "IXd": "C49.9 9180/3, C49.9 9220/3, C49.2 9260/3, C49.2 9364/3, C49.2 8963/3, C49.2 8830/3, C49.2 9041/3, "
    "C48.0 8806/3",
    "IXe": "C49.9 8800/3, C49.9 8804/3, C49.9 8803/3",
    "Xa": "C75.3 9064/3, C71.9 9084/3, C75.1 9085/3, C75.3 9080/1, C71.9 9080/0",
    "Xb": "C49.5 9084/3, C41.4 9080/3, C38.1 9071/3",
    "Xc": "C62.9 9084/3, C56.9 9084/3, C56.9 9060/3",
    "Xd": "C56.9 8441/3, C56.9 8010/3",
    "Xe": "C56.9 8590/3, C56.9 8000/3, C62.9 8650/3",
    "XIa": "C74.0 8370/3",
    "XIb": "C73.9 8260/3, C73.9 8345/3",
    "XIc": "C11.9 8072/3, C11.9 8082/3",
    "XId": "C44.5 8720/3, C69.4 8720/3",
    "XIe": "C44.5 8070/3",
    "XIf": "C18.1 8240/3, C34.1 8140/3, C07.9 8430/3, C53.9 8070/3, C67.9 8120/3, C69.9 8010/3",
    "XIIa": "C34.9 8973/3, C25.9 8971/3, C49.9 8936/3, C38.0 9050/3",
    "XIIb": "C80.9 8000/3, C34.9 8000/3, C69.2 8000/3, C73.9 8000/3",
}
NOWHERE = {
    "C71.9 8963/3": "a rhabdoid tumour by name within the brain: the code there is 9508",
    "C56.9 9084/0": "a mature teratoma of the ovary is not malignant",
    "C22.0 8170/2": "in situ",
    "C64.9 8959/0": "a benign cystic nephroma",
    "C56.9 8622/1": "a juvenile granulosa cell tumour of uncertain behaviour",
    "C44.5 8720/2": "a melanoma in situ",
    "C40.2 9180/0": "no osteosarcoma is benign",
}


@pytest.mark.parametrize("version", ["IARC 2017", "WHO 2008"])
@pytest.mark.parametrize("subgroup", CODES)
def test_codes_chosen_from_outside(subgroup: str, version: str):
    pairs = [code.split() for code in CODES[subgroup].split(", ")]
    found = iccc3(version).classify([site for site, _ in pairs], [form for _, form in pairs])  # type: ignore[arg-type]
    assert found.subgroup.tolist() == [subgroup] * len(pairs)


@pytest.mark.parametrize("code", NOWHERE)
def test_what_belongs_nowhere_is_told(code: str):
    site, form = code.split()
    found = iccc3().classify([site], [form])
    assert found.subgroup.tolist() == [None]
    assert found.reason.tolist() == ["combination"]


@pytest.mark.parametrize(
    ("code", "then", "now"),
    [("C22.0 8963/3", "IXd", "VIIa"), ("C22.0 8991/3", "IXa", "VIIa"), ("C64.9 9364/3", "VIa", "IXd")],
)
def test_what_the_later_version_moved(code: str, then: str, now: str):
    site, form = code.split()
    assert iccc3("WHO 2008").classify([site], [form]).subgroup.tolist() == [then]
    assert iccc3("IARC 2017").classify([site], [form]).subgroup.tolist() == [now]
