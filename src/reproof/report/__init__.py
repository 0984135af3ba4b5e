"""Documents made of a run's record."""
