"""Questions to registries over a federation platform: the part that knows no platform, and thin adapters beside it."""

from __future__ import annotations

from pets.adapters.combine import Answer, Collector, Exchange
from pets.adapters.contract import Contract
from pets.adapters.parcel import Parcel
from pets.adapters.site import Site

__all__ = ["Answer", "Collector", "Contract", "Exchange", "Parcel", "Site"]
