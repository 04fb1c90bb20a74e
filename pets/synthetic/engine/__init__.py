"""Graphical models in NumPy: factors, junction trees, estimation from noisy tables, exact sampling."""

from __future__ import annotations

from pets.synthetic.engine.estimation import Measurement, estimate
from pets.synthetic.engine.factors import Factor
from pets.synthetic.engine.graph import cells_of, triangulate
from pets.synthetic.engine.graphical_model import GraphicalModel
from pets.synthetic.engine.junction_tree import JunctionTree

__all__ = ["Factor", "GraphicalModel", "JunctionTree", "Measurement", "cells_of", "estimate", "triangulate"]
