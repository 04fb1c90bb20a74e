"""One module for each question; `run(amount)` returns its points."""
