from pydantic import Field

from reproof.params import Params, RunParams


class Data(Params):
    split_seed: int


class Train(Params):
    steps: int = Field(ge=1)
    lr: float = Field(gt=0)
    batch_size: int = Field(ge=1)


class Config(RunParams):
    data: Data
    train: Train
