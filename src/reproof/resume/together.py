"""The processes that train together, and how they agree on a number."""

from __future__ import annotations


class Together:
    """This process among those of its training; alone, it agrees with itself.

    Attributes:
        rank: of this process; 0 is the first one.
        size: how many they are.
    """

    def __init__(self) -> None:
        from torch import distributed

        self.rank, self.size = 0, 1
        if distributed.is_available() and distributed.is_initialized():
            self.rank, self.size = distributed.get_rank(), distributed.get_world_size()

    def first(self, number: int) -> int:
        """Return the first process's number, in all of them; they wait for it."""
        return self._shared(number, least=False)

    def all(self, yes: bool) -> bool:
        """Return whether it is so in every process; they wait for each other."""
        return bool(self._shared(int(yes), least=True))

    def _shared(self, number: int, *, least: bool) -> int:
        if self.size == 1:
            return number
        import torch
        from torch import distributed

        # NCCL moves tensors of GPUs alone.
        on_gpu = distributed.get_backend() == "nccl"
        device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
        tensor = torch.tensor([number], dtype=torch.int64, device=device)
        if least:
            distributed.all_reduce(tensor, distributed.ReduceOp.MIN)
        else:
            distributed.broadcast(tensor, 0)
        return int(tensor.item())
