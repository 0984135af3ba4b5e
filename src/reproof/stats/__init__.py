"""Statistics of what was measured: intervals over test examples and over seeds, paired tests, calibration.

Over the examples of one split: the BCa bootstrap (`bootstrap`, with `classifiers` and `regressors` for the
metrics). Over seeds and processes, of which there are few: Student's t (`intervals`), since a bootstrap of
three to ten values covers too little.
"""
