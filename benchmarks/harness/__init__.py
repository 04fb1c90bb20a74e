"""What the suites share: points with intervals, techniques, results with a stamp, figures, notebooks, peers."""
