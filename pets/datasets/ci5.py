"""Childhood cancer counts of *Cancer Incidence in Five Continents*, volume XII.

Published counts of population-based registries: public knowledge, so reading them costs no privacy budget. They
stand in for the confidential tables that registries hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

AGE_GROUPS: tuple[str, ...] = ("0-4", "5-9", "10-14", "15-19")
"""The age groups of :func:`ci5_children`, youngest first."""

EUROPE_21: tuple[str, ...] = (
    "Austria",
    "Belgium",
    "Croatia",
    "Cyprus",
    "Czech Republic",
    "Denmark",
    "Estonia",
    "Finland",
    "Iceland",
    "Ireland",
    "Latvia",
    "Lithuania",
    "Malta",
    "The Netherlands",
    "Norway",
    "Slovenia",
    "Sweden",
    "UK, England",
    "UK, Northern Ireland",
    "UK, Scotland",
    "UK, Wales",
)
"""The 21 European registries of the headline: each covers its whole country, no two overlap."""

_KEYS = ("registry", "country", "sex", "age_group", "person_years")


def ci5_children() -> pd.DataFrame:
    """Return the cancers of ages 0-19 in 25 population-based registries, by site, sex and age.

    The 21 registries of :data:`EUROPE_21`, then Japan, New Zealand, the Republic of Korea and the USA. No two
    registries overlap, so their counts may be added. Counts are those of 2013-2017 (Japan: 2013-2015).

    Returns
    -------
    pandas.DataFrame
        One row for each registry, site, sex and age group: 12,200 rows in a fixed order, zeros included
        (also those that anatomy dictates, such as ovary in males). Columns:

        ``registry``
            Name of the registry's population, exactly as IARC writes it (``'UK, England'``).
        ``country``
            ISO 3166-1 alpha-3 code; the four registries of the United Kingdom share ``'GBR'``.
        ``site``
            One of 61 disjoint cancer sites, grouped by ICD-10, in IARC's words (``'Liver'``). Sum them for a
            total; for Denmark that is 93 cases below IARC's own "All sites", elsewhere it is equal.
        ``sex``
            ``'male'`` or ``'female'``.
        ``age_group``
            Age at diagnosis in years, one of :data:`AGE_GROUPS`.
        ``cases``
            New cases over the whole period (int64).
        ``person_years``
            Person-years at risk of that registry, sex and age group (int64); the same on the row of every
            site, so select one site before adding them up.

    References
    ----------
    Bray F, Colombet M, Aitken JF, Bardot A, Eser S, Galceran J, Hagenimana M, Matsuda T, Mery L, Piñeros M,
    Soerjomataram I, de Vries E, Wiggins C, Won Y-J, Znaor A, Ferlay J, editors (2023). Cancer Incidence in
    Five Continents, Vol. XII (IARC CancerBase No. 19). Lyon: International Agency for Research on Cancer.
    Available from: https://ci5.iarc.who.int. Cite it wherever these counts are shown.

    Examples
    --------
    >>> table = ci5_children()
    >>> liver = table[(table.site == "Liver") & table.registry.isin(EUROPE_21) & (table.age_group != "15-19")]
    >>> int(liver.cases.sum())
    294
    """
    from importlib.resources import files

    import pandas as pd

    with (files("pets.datasets") / "data" / "ci5xii_children.csv").open(encoding="utf-8") as file:
        wide = pd.read_csv(file, keep_default_na=False)
    sites = [column for column in wide.columns if column not in _KEYS]
    # melt() puts one site's rows after another's; sorting by the row's origin brings a registry together, and a
    # stable second key keeps the published order of sites, which no alphabetical sort would.
    cells = wide.melt(id_vars=list(_KEYS), value_vars=sites, var_name="site", value_name="cases")
    rank = {name: position for position, name in enumerate(wide["registry"].unique())}
    cells = cells.sort_values("registry", key=lambda names: names.map(rank), kind="stable", ignore_index=True)
    cells = cells.astype({"cases": "int64", "person_years": "int64"})
    return cells[["registry", "country", "site", "sex", "age_group", "cases", "person_years"]]
