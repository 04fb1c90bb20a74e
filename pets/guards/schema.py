"""The form of a policy file, as pydantic models. Importing this imports pydantic: do so inside functions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pets.config.sections import Section

Names = Annotated[list[str], Field(max_length=10_000)]


class CheckSection(Section):
    """``[cohort_check]``: how the size of a cohort is judged."""

    by: Literal["planning", "noisy"] = "planning"
    epsilon: str | int | float | None = None


class PolicySection(Section):
    """A whole policy file."""

    version: Literal[1] = Field(alias="schema")
    columns: Names
    filters: Names = Field(default_factory=list)
    complete: Names = Field(default_factory=list)
    queries: Names
    mechanisms: Names
    planning: str | None = None
    expected: Annotated[float, Field(ge=0, lt=1e12)] | None = None
    minimum_cohort: Annotated[int, Field(ge=1, le=10**9)] = 20
    minimum_difference: Annotated[int, Field(ge=1, le=10**9)] = 20
    fewest_sites: Annotated[int, Field(ge=2, le=1000)] = 3
    most_cells: Annotated[int, Field(ge=1, le=10**8)] = 10_000
    most_per_question: dict[str, Any] | None = None
    cohort_check: CheckSection = CheckSection()
    most_cohorts: Annotated[int, Field(ge=1, le=256)] = 64
