"""What params.yaml may hold. A wrong key, type or range is an error that names the line."""

from reproof import benchmark, examination, inference
from reproof.params import RunParams


class Config(RunParams):
    """The whole of params.yaml; seed, threads, deterministic, device, summary and links are RunParams'."""

    model: examination.Settings
    inputs: inference.Inputs
    infer: inference.Settings
    benchmark: benchmark.Settings
