"""Linked tables under one guarantee: patients, their tumours, the treatments of each tumour."""

from __future__ import annotations

from pets.synthetic.linked.declaration import LinkedDomain
from pets.synthetic.linked.synthesizer import Linked
from pets.synthetic.linked.tables import LinkedTables
from pets.synthetic.linked.tree import Child

__all__ = ["Child", "Linked", "LinkedDomain", "LinkedTables"]
