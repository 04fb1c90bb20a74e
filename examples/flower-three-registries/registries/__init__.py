"""A Flower app of two lines at each registry and a few at the collector."""
