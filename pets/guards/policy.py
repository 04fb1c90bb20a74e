"""What a site lets others ask of it, in a public file.

.. code-block:: toml

    schema = 1
    columns = ["diagnosis", "sex", "age_group", "time", "status"]   # may be asked about
    filters = ["diagnosis", "sex"]                                  # may choose a cohort
    complete = ["sex"]                                              # never missing here
    queries = ["count", "event_table"]
    mechanisms = ["discrete_laplace"]
    planning = "expected.csv"          # expected patients by the filters; without filters: expected = 1200
    minimum_cohort = 20
    minimum_difference = 20
    fewest_sites = 3
    most_cells = 5000
    most_per_question = { type = "pure_dp", epsilon = "1" }

    [cohort_check]                     # optional; by = "planning" when left out
    by = "noisy"
    epsilon = "0.1"
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pets.config import read_file
from pets.domain import Domain
from pets.errors import ConfigError, PetsError, did_you_mean
from pets.exact import positive
from pets.guarantee import DPGuarantee, from_dict
from pets.guards.planning import Planning
from pets.guards.question import known_mechanisms
from pets.query import QUERIES

if TYPE_CHECKING:
    from pets.config.sections import Section


@lru_cache(maxsize=1)
def _section() -> type[Section]:
    """Return the form of a policy file; pydantic is imported when the first one is read."""
    from pets.guards.schema import PolicySection

    return PolicySection


@dataclass(frozen=True)
class Policy:
    """A site's rules for questions; all of it is public.

    Parameters
    ----------
    columns, filters
        Attributes that may be asked about, and those by which a cohort may be chosen.
    queries, mechanisms
        Kinds of both that are allowed, by their names in a plan file.
    planning
        Expected patients at this site.
    minimum_cohort, minimum_difference
        Fewest patients that a cohort holds, and that a cohort and the earlier ones tell apart.
    fewest_sites
        Fewest sites that a total may be over, 2 or more. Of two, each learns the other's table by taking away its own,
        with the other's share of the noise inside: a total that may be over two therefore needs shares of which one
        alone is enough, as :mod:`pets.adapters` draws them. It is then twice as noisy as a curator's.
    most_cells
        Most cells of an answer.
    most_per_question
        Most that one question may cost, or ``None``: what the ledger has left.
    check_epsilon
        ``None``: cohorts are measured by the planning counts, and no row is read for it. A number: by a count with
        discrete Laplace noise of this epsilon, which is charged whether the question is then answered or not.
    most_cohorts
        Distinct cohorts that may be answered for one data set; then only these.
    """

    columns: tuple[str, ...]
    filters: tuple[str, ...]
    queries: tuple[str, ...]
    mechanisms: tuple[str, ...]
    planning: Planning
    minimum_cohort: int = 20
    minimum_difference: int = 20
    fewest_sites: int = 3
    most_cells: int = 10_000
    most_per_question: DPGuarantee | None = None
    check_epsilon: Fraction | None = None
    most_cohorts: int = 64

    @classmethod
    def from_file(cls, path: str | Path, domain: Domain) -> Self:
        """Return the policy in a TOML or JSON file; see the module's example.

        Raises
        ------
        ConfigError
            A key is missing, unknown or wrong; the error names it.
        """
        file = Path(path)
        return cls.from_dict(read_file(file), domain, folder=file.parent)

    @classmethod
    def from_dict(cls, data: object, domain: Domain, *, folder: Path = Path()) -> Self:
        """Return the policy that plain data describe; a table of expected counts is looked for in `folder`."""
        from pets.config.sections import validate

        part: Any = validate(_section(), data)
        _check_names("columns", part.columns, domain.names)
        _check_names("filters", part.filters, domain.names)
        _check_names("complete", part.complete, part.filters)
        _check_names("queries", part.queries, QUERIES)
        _check_names("mechanisms", part.mechanisms, known_mechanisms())
        _check_repeatable((*part.columns, *part.filters), domain)
        planning = _planning(part, domain, folder)
        return cls(
            tuple(part.columns), tuple(part.filters), tuple(part.queries), tuple(part.mechanisms), planning,
            part.minimum_cohort, part.minimum_difference, part.fewest_sites, part.most_cells,
            _most(part.most_per_question), _check_epsilon(part.cohort_check), part.most_cohorts,
        )  # fmt: skip


def _check_names(key: str, names: list[str], known: Any) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(key, f"names {name[:80]!r}, which is not known here", did_you_mean(name, known))


def _check_repeatable(names: tuple[str, ...], domain: Domain) -> None:
    """A policy by which a value stops the tally would tell, by its refusals, whether some cohort holds such a value."""
    for name in names:
        if domain[name].invalid == "error":
            raise ConfigError(
                "columns", f"names {name!r}, whose invalid values are an error in the domain",
                "Ad-hoc questions need invalid = 'drop', 'category' or 'clamp': an error would tell of the rows.",
            )  # fmt: skip


def _planning(part: Any, domain: Domain, folder: Path) -> Planning:
    if (part.planning is None) == (part.expected is None):
        raise ConfigError("planning", "or 'expected' must be given, and not both", "Name a table, or one number.")
    if part.planning is None:
        plan = Planning.whole(part.expected)
    else:
        plan = Planning.from_csv(folder / part.planning, domain, part.complete)
    missing = [name for name in part.filters if name not in plan.axes]
    if missing:
        raise ConfigError("planning", f"has no column {missing[0]!r}, which may be filtered by", "Add expected counts.")
    return plan


def _most(data: dict[str, Any] | None) -> DPGuarantee | None:
    if data is None:
        return None
    try:
        most = from_dict(data)
    except PetsError as error:
        raise ConfigError("most_per_question", "is no guarantee", str(error)) from None
    if not isinstance(most, DPGuarantee):
        raise ConfigError(
            "most_per_question", "must be a DP guarantee", "For example { type = 'pure_dp', epsilon = 1 }"
        )
    return most


def _check_epsilon(part: Any) -> Fraction | None:
    if part.by == "planning":
        if part.epsilon is not None:
            raise ConfigError("cohort_check.epsilon", "has no use with by = 'planning'", "Leave it out.")
        return None
    if part.epsilon is None:
        raise ConfigError("cohort_check.epsilon", "is missing", "Say what each check may cost.")
    try:
        return positive(part.epsilon, "cohort_check.epsilon")
    except PetsError:
        raise ConfigError("cohort_check.epsilon", "must be a positive number") from None
