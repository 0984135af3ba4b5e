from pydantic import Field

from reproof.params import Params, RunParams


class Data(Params):
    name: str
    split_seed: int


class Model(Params):
    hidden: int = Field(ge=1)


class Train(Params):
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)


class Config(RunParams):
    data: Data
    model: Model
    train: Train
