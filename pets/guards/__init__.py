"""Guards at the site: what others may ask ad hoc, of whom, what follows from it all, and a log of every verdict."""

from __future__ import annotations

from pets.guards.audit import AuditLog, Entry
from pets.guards.cohort import Cohort
from pets.guards.guard import Guard
from pets.guards.planning import Planning
from pets.guards.policy import Policy
from pets.guards.question import Question

__all__ = ["AuditLog", "Cohort", "Entry", "Guard", "Planning", "Policy", "Question"]
