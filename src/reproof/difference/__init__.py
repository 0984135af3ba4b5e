"""Two runs: what differs between them, and what it did.

`between` compares their records part by part; `models.two_models` their answers on the examples that both
answered. What probably matters stands first (`findings`).
"""
