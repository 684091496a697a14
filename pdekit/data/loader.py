"""A loader whose order depends on (seed, epoch) only, and that can be stopped and resumed within an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from pdekit.data.windows import Windows, collate


class EpochSampler(DistributedSampler):
    """A permutation of the samples that is a function of (seed, epoch), dealt to the ranks in turn.

    It is a distributed sampler so that Lightning leaves it in place when there are several processes. The order does
    not depend on the global random state, the loader's workers, or on what was drawn before.

    Args:
        dataset: with a length.
        seed: seed of the permutations.
        shuffle: False keeps the order.
        rank, world: number of this process, and of all processes; a last incomplete round is filled from the
            beginning, so that all ranks take the same number of steps.
        groups: a number for each sample, for samples on several grids: every ``batch_size`` samples that follow each
            other in a rank are of one group. The last batch of a group is filled from the group's beginning.
        batch_size: samples of a batch in each rank, for groups.
    """

    def __init__(
        self,
        dataset: Any,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        groups: Sequence[int] | None = None,
        batch_size: int = 1,
    ):
        super().__init__(dataset, num_replicas=world, rank=rank, shuffle=shuffle, seed=seed)
        self.skip, self.round = 0, world * batch_size
        self.groups = None if groups is None else torch.tensor(groups)
        if self.groups is not None:
            self.total_size = int((-(self.groups.bincount() // -self.round)).sum()) * self.round
            self.num_samples = self.total_size // world

    def order(self) -> list[int]:
        """The samples of this rank in this epoch."""
        n = len(self.dataset)
        # The two numbers are mixed so that seed 0, epoch 1 is not seed 1, epoch 0.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        places = torch.randperm(n, generator=generator) if self.shuffle else torch.arange(n)
        padded = places[torch.arange(self.total_size) % n] if self.groups is None else self._grouped(places, generator)
        return padded[self.rank : self.total_size : self.num_replicas].tolist()

    def _grouped(self, places: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The samples in whole rounds of one group each, the rounds of all groups mixed if the samples are."""
        assert self.groups is not None
        rounds = []
        for group in self.groups.unique():
            own = places[self.groups[places] == group]
            size = -(len(own) // -self.round) * self.round
            rounds.append(own[torch.arange(size) % len(own)].reshape(-1, self.round))
        whole = torch.cat(rounds)
        return (whole[torch.randperm(len(whole), generator=generator)] if self.shuffle else whole).flatten()

    def __iter__(self) -> Iterator[int]:
        skip, self.skip = self.skip, 0
        return iter(self.order()[skip:])


class ResumableLoader(DataLoader):
    """Batches of windows, collated to `Trajectory`; its state is how many batches of this epoch were handed out.

    Lightning stores the state in checkpoints and restores it; a resumed run continues with the next batch.

    Args:
        windows: the data.
        batch_size: samples of a batch, in each process.
        sampler: the order.
        drop_last: whether to leave out a last, smaller batch.
        num_workers: processes that read; 0 reads in the training process, which is best on a CPU (a window reads in
            tens of microseconds).
        pin_memory: pin the memory of batches, for faster transfers to a GPU.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        sampler: EpochSampler,
        drop_last: bool = False,
        num_workers: int = 0,
        pin_memory: bool = False,
    ):
        super().__init__(
            windows,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=num_workers,
            pin_memory=pin_memory,
            collate_fn=collate,
            persistent_workers=num_workers > 0,
            # Workers inherit no open file: the source opens it on first use in each process.
            multiprocessing_context="spawn" if num_workers > 0 else None,
        )
        self._yielded = 0
        self._resume = (-1, 0)  # epoch and batches of an interrupted run

    def __iter__(self) -> Iterator[Any]:
        # A generator: nothing runs before the first batch is asked for, when the sampler knows its epoch.
        epoch, batches = self._resume
        self._resume = (-1, 0)
        self._yielded = batches if epoch == self.sampler.epoch else 0
        self.sampler.skip = self._yielded * self.batch_size
        for batch in super().__iter__():
            self._yielded += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Epoch, batches handed out in it, and what these numbers depend on."""
        return {
            "epoch": self.sampler.epoch,
            "batches": self._yielded,
            "batch_size": self.batch_size,
            "samples": len(self.dataset),
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after the batches that were handed out, if the same epoch is the next one to be asked for.

        Raises:
            ValueError: if batch size or number of samples are not those of the interrupted run.
        """
        for name, value in (("batch_size", self.batch_size), ("samples", len(self.dataset))):
            if state[name] != value:
                raise ValueError(
                    f"expected {name} = {state[name]} as in the interrupted run, got {value}; resume with the same "
                    "data and batch size, or start a new run"
                )
        self._resume = (state["epoch"], state["batches"])
