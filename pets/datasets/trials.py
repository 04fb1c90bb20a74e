"""Two published clinical studies with follow-up: real patients, public data.

Reading them costs no privacy budget. They stand in for the records that registries hold, and they are what published
methods for survival analysis are measured on. Identifiers are row numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def lung() -> pd.DataFrame:
    """Return the NCCTG lung cancer study: 228 adults with advanced lung cancer, 165 of whom died.

    Returns
    -------
    pandas.DataFrame
        One row per patient, 228 in a fixed order:

        ``patient_id``
            Row number (int64).
        ``time``
            Days from entry to death or end of follow-up (int64), 5 to 1,022.
        ``status``
            ``'censored'`` or ``'dead'``.
        ``sex``
            ``'male'`` (138) or ``'female'`` (90).
        ``age``
            Years at entry (int64), 39 to 82.
        ``ecog``
            ECOG performance score as the physician rated it, 0 to 3 (Int64, one missing).

    References
    ----------
    Loprinzi CL, Laurie JA, Wieand HS, et al. (1994). Prospective evaluation of prognostic variables from
    patient-completed questionnaires. North Central Cancer Treatment Group. Journal of Clinical Oncology 12:601-607.

    Examples
    --------
    >>> lung().status.value_counts().to_dict()
    {'dead': 165, 'censored': 63}
    """
    return _read("ncctg_lung.csv").astype({"ecog": "Int64"})


def wilms() -> pd.DataFrame:
    """Return the third and fourth National Wilms Tumor Studies: 4,028 children, 571 of whom relapsed.

    Returns
    -------
    pandas.DataFrame
        One row per child, 4,028 in a fixed order:

        ``patient_id``
            Row number (int64).
        ``time``
            Days from diagnosis to relapse or end of follow-up (int64), 4 to 6,209.
        ``status``
            ``'censored'`` or ``'relapse'``.
        ``histology``
            ``'favourable'`` or ``'unfavourable'``, as the central laboratory read it.
        ``stage``
            ``'I'`` to ``'IV'``.
        ``study``
            ``'NWTS-3'`` or ``'NWTS-4'``.
        ``age_months``
            Months of age at diagnosis (int64), 0 to 191.

    References
    ----------
    Breslow NE, Chatterjee N (1999). Design and analysis of two-phase studies with binary outcome applied to Wilms
    tumour prognosis. Applied Statistics 48:457-468.

    Examples
    --------
    >>> wilms().status.value_counts().to_dict()
    {'censored': 3457, 'relapse': 571}
    """
    return _read("wilms_nwtco.csv")


def _read(name: str) -> pd.DataFrame:
    from importlib.resources import files

    import pandas as pd

    with (files("pets.datasets") / "data" / name).open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    table.insert(0, "patient_id", range(len(table)))
    return table
