from pydantic import Field

from reproof.params import Params, RunParams


class Data(Params):
    examples: int = Field(ge=30)
    split_seed: int


class Train(Params):
    steps: int = Field(ge=1)
    lr: float = Field(gt=0)


class Config(RunParams):
    data: Data
    train: Train
