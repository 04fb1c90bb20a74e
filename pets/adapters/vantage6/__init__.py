"""vantage6: a central function and one at each site, under the decorators of version 4 or 5."""

from __future__ import annotations

from pets.adapters.vantage6.exchange import Vantage6Exchange, answer_at_site, collect

__all__ = ["Vantage6Exchange", "answer_at_site", "collect"]
