"""Registries that never were: patient rows with the rates, the sparsity and the survival of published ones.

They stand in for confidential records, to try a study out before any registry runs it. Nothing in them comes from a
patient, so they cost no privacy budget and show nothing about anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from pets.csprng import InsecureRandom, secure_random
from pets.datasets.simulate_calibration import AGES, SEXES, STAGES, Array, Profile, rates, tumours
from pets.datasets.simulate_rows import DAYS_OF_YEAR, EVENTS, REGIONS, Registry, draw, uniform
from pets.domain import Categorical, Domain, Integer
from pets.errors import InvalidArgument, did_you_mean
from pets.privacy_unit import PrivacyUnit

if TYPE_CHECKING:
    import pandas as pd

MAX_SITES: Final = 1000
MAX_PATIENTS: Final = 100_000_000
_SEEDS = 2**200
_SPREAD: Final[dict[str, float]] = {"usa": 0.0, "europe": 0.0, "world": 0.7}
"""Coefficient of variation of a registry's rate of one site, beyond its level of all sites together."""


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedRegistries(Mapping[str, "pd.DataFrame"]):
    """Simulated registries by name; give it to :meth:`pets.Pipeline.run` as the sites.

    A registry's rows are drawn anew each time they are asked for, and are the same each time. So a study over many
    large registries holds one of them in memory at a time; ``dict(registries)`` holds all.

    Attributes
    ----------
    profile
        Whose rates they have.
    names
        Of the registries, smallest first.
    years
        First and last year of diagnosis.
    follow_up
        Years followed after the last of them.
    """

    profile: Profile
    names: tuple[str, ...]
    years: tuple[int, int]
    follow_up: int
    _person_years: Array  # (registries, sexes, ages)
    _levels: Array  # (registries,)
    _seed: int

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return the rows of one registry, one per patient.

        Raises
        ------
        InvalidArgument
            There is no such registry.
        """
        if name not in self.names:
            raise InvalidArgument("name", "is of no registry here", did_you_mean(str(name), self.names))
        number = self.names.index(name)
        source = InsecureRandom(insecure_seed=self._seed * MAX_SITES + number)
        rate = rates(self.profile).rate * self._person_years[number] * self._levels[number]
        if spread := _SPREAD[self.profile]:
            rate = rate * _gamma(source, len(rate), spread)[:, None, None]
        expected = rate[self._site_of_tumour] * tumours().share
        return draw(Registry(name, number, expected, self.years, self.follow_up), source)

    def __repr__(self) -> str:
        return (
            f"<{len(self)} simulated registries ({self.profile}), about {self.expected['cases'].sum():,.0f} patients>"
        )

    @property
    def _site_of_tumour(self) -> list[int]:
        sites = rates(self.profile).sites
        return [sites.index(site) for site in tumours().site]

    @cached_property
    def domain(self) -> Domain:
        """What is public about the rows; the unit is the patient, who has one row."""
        known, (first, last) = tumours(), self.years
        upper = int((last - first + 1 + self.follow_up) * DAYS_OF_YEAR) + 1
        half_years = (*range(0, upper, 183), upper) if upper % 183 else tuple(range(0, upper + 1, 183))
        return Domain(
            registry=Categorical(list(self.names)),
            diagnosis=_labels(known.name),
            site=_labels(known.site),
            group=_labels(known.group),
            subgroup=_labels(known.subgroup),
            sex=Categorical(list(SEXES)),
            age=Integer(0, 19, bins=[0, 5, 10, 15, 19]),
            age_group=Categorical(list(AGES)),
            year=Integer(first, last),
            region=Categorical(list(REGIONS)),
            stage=Categorical(list(STAGES)),
            time=Integer(0, upper, bins=half_years),
            event=Categorical(list(EVENTS)),
            unit=PrivacyUnit(id="patient_id", max_rows=1),
            name="Simulated childhood-cancer registries",
            declared_by="pets.datasets.simulate_registries",
        )

    @cached_property
    def person_years(self) -> pd.DataFrame:
        """Person-years at risk: columns ``registry``, ``sex``, ``age_group``, ``person_years`` (int64)."""
        frame = self._cells((self.names, SEXES, AGES), ("registry", "sex", "age_group"))
        return frame.assign(person_years=self._person_years.ravel().astype(np.int64))

    @cached_property
    def expected(self) -> pd.DataFrame:
        """Cases expected: columns ``registry``, ``site``, ``sex``, ``age_group``, ``cases`` (float)."""
        pooled = rates(self.profile)
        frame = self._cells((self.names, pooled.sites, SEXES, AGES), ("registry", "site", "sex", "age_group"))
        cases = pooled.rate * (self._person_years * self._levels[:, None, None])[:, None]
        return frame.assign(cases=cases.ravel())

    @staticmethod
    def _cells(labels: Sequence[Sequence[str]], names: Sequence[str]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(list(product(*labels)), columns=list(names))


def simulate_registries(
    sites: int | Sequence[str],
    *,
    like: Profile = "usa",
    patients: int | None = None,
    years: tuple[int, int] = (2013, 2017),
    follow_up: int = 5,
    insecure_seed: int | None = None,
) -> SimulatedRegistries:
    """Simulate the patient rows of childhood-cancer registries.

    Parameters
    ----------
    sites
        How many registries, 1 to 1,000, or their names.
    like
        Whose rates, sizes and sparsity: ``'usa'`` (rates of the USA, sizes of 44 states), ``'europe'`` (the 21
        registries of :data:`~pets.datasets.EUROPE_21`) or ``'world'`` (400 registries outside the USA, which differ in
        level). Sizes are those of the real registries at evenly spaced ranks.
    patients
        About how many patients in all; populations grow in proportion and rates stay. ``None``: as many as the real
        registries of these sizes have.
    years
        First and last year of diagnosis. The real counts are of five years.
    follow_up
        Years from the end of the last year of diagnosis to the closing date of follow-up.
    insecure_seed
        Any integer from 0: the same seed gives the same rows. ``None`` draws one.

    Returns
    -------
    SimulatedRegistries
        A mapping of names to pandas data frames, with ``domain``, ``person_years`` and ``expected``. Columns:
        ``patient_id``, ``registry``, ``diagnosis`` (63 tumours), ``site`` (17), ``group`` and ``subgroup`` of ICCC-3,
        ``topography`` and ``morphology`` (ICD-O-3, which :func:`pets.epi.iccc3` turns into that subgroup), ``sex``,
        ``age`` (years), ``age_group``, ``year``, ``region``, ``stage``, ``time`` (days of follow-up), ``event``
        (``'censored'`` or ``'dead'``).

    Raises
    ------
    InvalidArgument
        An argument is out of range, or two sites share a name.

    Notes
    -----
    The expected rate of each of the 17 sites by sex and age group is the published one exactly. Tumours within a site
    follow published rates by ICCC-3 group where there are any, their survival the figures in
    ``simulator_diagnoses.csv``, which names the source of each. Ages are even within five years, regions and calendar
    years do not differ in risk, and stages and survival are those of the same tumour everywhere.

    References
    ----------
    Rates and sizes: Cancer Incidence in Five Continents XII, see :func:`~pets.datasets.ci5_children`. Survival: see
    data/SOURCES.md.

    Examples
    --------
    >>> registries = simulate_registries(5, insecure_seed=1)
    >>> registries
    <5 simulated registries (usa), about 6,115 patients>
    >>> rows = registries["Registry 1"]
    >>> bool(rows.patient_id.is_unique)
    True
    """
    names = _names(sites)
    if like not in get_args(Profile):
        raise InvalidArgument("like", "is no profile", did_you_mean(str(like), get_args(Profile)))
    span = _years(years)
    _whole("follow_up", follow_up, 1, 50)
    if patients is not None:
        _whole("patients", patients, 1, MAX_PATIENTS)
    if insecure_seed is not None:
        _whole("insecure_seed", insecure_seed, 0, _SEEDS)
    seed = secure_random().bits(64) if insecure_seed is None else insecure_seed
    sizes, levels = _sizes(like, len(names))
    structure = rates(like).structure
    person_years = sizes[:, None, None] * structure * ((span[1] - span[0] + 1) / 5)
    if patients is not None:
        person_years *= patients / float((rates(like).rate * (person_years * levels[:, None, None])[:, None]).sum())
    person_years = np.maximum(np.rint(person_years), 1.0)
    return SimulatedRegistries(like, names, span, follow_up, person_years, levels, seed)


def _sizes(like: Profile, count: int) -> tuple[Array, Array]:
    """Return person-years at ages 0-14 and levels of `count` registries, smallest first."""
    pooled = rates(like)
    known = np.arange(len(pooled.sizes)) + 0.5
    wanted = (np.arange(count) + 0.5) / count * len(pooled.sizes)
    sizes = np.exp(np.interp(wanted, known, np.log(pooled.sizes)))
    if not _SPREAD[like]:
        return sizes, np.ones(count)
    levels = pooled.levels[np.minimum(wanted.astype(np.intp), len(pooled.levels) - 1)]
    return sizes, levels * sizes.sum() / max(float(levels @ sizes), 1e-9)


def _gamma(source: InsecureRandom, size: int, spread: float) -> Array:
    """Return gamma variables with mean 1 and this coefficient of variation."""
    from scipy.special import gammaincinv

    shape = spread**-2
    return np.asarray(gammaincinv(shape, uniform(source, size)) / shape)


def _labels(texts: Sequence[str]) -> Categorical:
    return Categorical(list(dict.fromkeys(texts)))


def _names(sites: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(sites, int) and not isinstance(sites, bool):
        _whole("sites", sites, 1, MAX_SITES)
        digits = len(str(sites))
        return tuple(f"Registry {number:0{digits}d}" for number in range(1, sites + 1))
    if isinstance(sites, str) or not isinstance(sites, Sequence):
        raise InvalidArgument("sites", "must be a number or a list of names", "Write 5, or ['FR', 'NL', 'UK'].")
    names = tuple(sites)
    if not names or len(names) > MAX_SITES or not all(isinstance(name, str) and name for name in names):
        raise InvalidArgument("sites", f"must be 1 to {MAX_SITES:,} names")
    if len(set(names)) < len(names):
        raise InvalidArgument("sites", "hold a name twice")
    return names


def _years(years: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(years, tuple | list) or len(years) != 2:
        raise InvalidArgument("years", "must be a first and a last year", "Write (2013, 2017).")
    first, last = years
    _whole("years", first, 1900, 2100)
    _whole("years", last, first, min(first + 50, 2100))
    return first, last


def _whole(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidArgument(name, f"must be a whole number from {low:,} to {high:,}")
