"""Windows come from the right trajectory and frames, whoever reads them and in whatever order."""

import dataclasses

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from pdekit.data.arrays import Arrays
from pdekit.data.loader import EpochSampler
from pdekit.data.loading import Loading
from pdekit.data.module import DataModule
from pdekit.data.store import Split
from pdekit.data.windows import Windows, collate
from pdekit.data.writer import write_split
from pdekit.fields import Field, Grid, Problem
from pdekit.pdes import KuramotoSivashinsky

from .conftest import counted_batch, line_problem


def arrays(n=4, n_frames=6):
    problem = line_problem(n_frames)
    return Arrays(problem, counted_batch(problem, n))


def values(batch):
    return batch.u[:, :, 0, 0].tolist()


def data_module(tmp_path=None, **settings):
    if tmp_path is None:
        return DataModule(arrays(6), arrays(2), arrays(2, 9), Loading(**settings))
    for split, n, frames in (("train", 6, 6), ("valid", 2, 6), ("test", 2, 9)):
        problem = line_problem(frames)
        write_split(tmp_path / "data" / split / "line.hdf5", problem, counted_batch(problem, n), "line")
    return DataModule.from_folder(tmp_path, Loading(**settings))


def test_every_window_once():
    windows = Windows(arrays(2, 5), (2, 1))
    assert [values(windows[i])[0] for i in range(len(windows))] == [
        [0, 1, 2],
        [1, 2, 3],
        [2, 3, 4],
        [100, 101, 102],
        [101, 102, 103],
        [102, 103, 104],
    ]
    assert windows[4].index.tolist() == [1] and windows[4].t.tolist() == [[0.5, 1.0, 1.5]]


def test_all_later_frames_make_one_window_of_each_trajectory():
    windows = Windows(arrays(3, 5), (1, "all"))
    assert (windows.history, windows.target, len(windows)) == (1, 4, 3)
    assert values(windows[2]) == [[200, 201, 202, 203, 204]]


def test_a_steady_problem_has_windows_without_history():
    problem = Problem(Grid((8,), (1.0,)), (Field("u"),))
    windows = Windows(Arrays(problem, counted_batch(problem, 3)), (0, 1))
    assert len(windows) == 3 and windows[1].u.shape == (1, 1, 1, 8)


def test_sub_ranges_and_strides():
    windows = Windows(arrays(4, 6), (1, 1), n_trajectories=2, frames=slice(2, 6), stride=2)
    assert [values(windows[i])[0] for i in range(len(windows))] == [[2, 3], [4, 5], [102, 103], [104, 105]]
    longer = Windows(windows.source, (1, 2), n_trajectories=2, frames=slice(2, 6), stride=2)
    assert values(longer[1]) == [[102, 103, 104]]
    assert windows.trajectories([1]).u.shape[1] == 4
    with pytest.raises(IndexError):
        windows[4]


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"n_trajectories": 9}, "expected 1 to 4 trajectories, got n_trajectories=9"),
        ({"window": (3, 4)}, r"at most 6 frames with target >= 1, got \(3, 4\)"),
        ({"window": (6, "all")}, "target >= 1"),
        ({"stride": 0}, "stride >= 1"),
    ],
)
def test_what_is_not_there_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Windows(arrays(), **options)


def test_reading_a_window_reads_no_more(tmp_path):
    """What stack.md demands of lazy reading: other trajectories may as well be unreadable."""
    problem = line_problem(n_frames=40, shape=(512,))
    path = tmp_path / "a.hdf5"
    write_split(path, problem, counted_batch(problem, 20), "a")
    split = Split(path)
    before = split.opened.file["t0_fields/u"].id.get_offset() + 7 * 40 * 512 * 4 + 3 * 512 * 4
    whole = path.read_bytes()
    with open(path, "r+b") as file:  # spoil every byte of the field but frames 3 and 4 of trajectory 7
        start = split.opened.file["t0_fields/u"].id.get_offset()
        file.seek(start)
        file.write(b"\xff" * (before - start))
        file.write(whole[before : before + 2 * 512 * 4])
        file.write(b"\xff" * (start + 20 * 40 * 512 * 4 - before - 2 * 512 * 4))
    assert values(Windows(Split(path), (1, 1))[7 * 39 + 3]) == [[703.0, 704.0]]


def test_collate_keeps_order_and_text(flow):
    _, batch = flow
    again = collate([batch.samples(slice(i, i + 1)) for i in range(len(batch))])
    assert torch.equal(again.u, batch.u) and torch.equal(again.coeffs, batch.coeffs) and again.text == batch.text


# The order of training


def test_the_order_is_a_function_of_seed_and_epoch():
    windows = Windows(arrays())

    def order(seed, epoch, noise=0):
        torch.manual_seed(noise)
        sampler = EpochSampler(windows, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 2) == order(1, 2, noise=5) != order(1, 3) != order(2, 2)
    assert sorted(order(1, 2)) == list(range(len(windows)))
    assert order(0, 1) != order(1, 0)


def test_ranks_share_the_samples():
    windows = Windows(arrays(3, 4))
    parts = [list(EpochSampler(windows, 0, rank=rank, world=2)) for rank in range(2)]
    assert len(parts[0]) == len(parts[1]) == 5
    assert set(parts[0]) | set(parts[1]) == set(range(9))


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_resumed_loader_goes_on_with_the_next_batch(tmp_path, workers):
    def loader():
        data = data_module(tmp_path, batch_size=4, seed=3, num_workers=workers)
        made = data.train_dataloader()
        made.sampler.set_epoch(2)
        return made

    whole = [values(batch) for batch in loader()]
    first = loader()
    iterator = iter(first)
    started = [values(next(iterator)) for _ in range(3)]
    second = loader()
    second.load_state_dict(first.state_dict())
    assert started + [values(batch) for batch in second] == whole
    assert [values(batch) for batch in second] == whole  # the skip is for once
    later = loader()
    later.load_state_dict(first.state_dict())
    later.sampler.set_epoch(3)
    assert len(list(later)) == len(whole)  # another epoch is not cut


def test_another_batch_size_cannot_resume():
    state = data_module(batch_size=4).train_dataloader().state_dict()
    with pytest.raises(ValueError, match="expected batch_size = 4 as in the interrupted run, got 8"):
        data_module(batch_size=8).train_dataloader().load_state_dict(state)


class Recorder(LightningModule):
    """Learns nothing, remembers what it saw."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def training_step(self, batch, _):
        self.seen += values(batch)
        return (self.weight * batch.u.mean()).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-6)


def trained(folder, resume=None):
    """17 steps, 7 in an epoch, with a checkpoint after each."""
    model = Recorder()
    trainer = Trainer(
        max_steps=17,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)],
    )
    trainer.fit(model, data_module(batch_size=4, seed=1), ckpt_path=resume, weights_only=False)
    return model


@pytest.mark.filterwarnings("ignore")
def test_lightning_resumes_within_an_epoch_and_at_its_end(tmp_path):
    whole = trained(tmp_path)
    assert len(whole.seen) == 17 * 4
    for stop in (3, 7, 10):
        after = trained(tmp_path / "again", tmp_path / f"step={stop}.ckpt")
        assert after.seen == whole.seen[stop * 4 :]
        assert torch.equal(after.weight, whole.weight)


# The data module


def test_windows_follow_the_method(tmp_path):
    data = data_module(tmp_path)
    assert data.problem == line_problem(6)
    data.set_window(2, "all")
    assert (len(data.train), len(data.test), data.test.target) == (6, 2, 7)
    batches = list(data.calibration_batches())
    assert sum(len(batch) for batch in batches) == 6
    assert batches[0].u.dtype == torch.float32 and batches[0].t.dtype == torch.float64


def test_fewer_trajectories_for_training():
    data = data_module(n_trajectories=2)
    assert {int(v // 100) for batch in data.train_dataloader() for window in values(batch) for v in window} == {0, 1}


WALLED = Grid((16,), (1.0,), layout=("nodes",))


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"fields": (Field("v"),)}, r"the fields \['u'\] of train in the test split, found \['v'\]"),
        ({"fields": (Field("u", "m/s"),)}, "expected the unit '1' of u in the test split, as in train, found 'm/s'"),
        ({"dt": 0.25}, "expected the dt 0.5 of train in the test split, found 0.25"),
        ({"grid": Grid((16,), (2.0,))}, r"the extent of the grid \(1.0,\) of train in the test split, found \(2.0,\)"),
        ({"grid": Grid((16,), (1.0,), (3.0,))}, r"the origin of the grid \(0.0,\)"),
        ({"grid": Grid((8,), (1.0,))}, r"the shape of the grid \(16,\) of train in the test split, found \(8,\)"),
        ({"grid": WALLED, "boundary": ()}, "the layout of the grid"),
        ({"pde": KuramotoSivashinsky()}, "the equation None of train in the test split, found KuramotoSivashinsky"),
    ],
)
def test_a_split_of_another_problem_is_refused(change, sentence):
    other = dataclasses.replace(line_problem(), **change)
    with pytest.raises(ValueError, match=sentence):
        DataModule(arrays(), arrays(), Arrays(other, counted_batch(other, 2)))


def test_a_split_with_another_boundary_is_refused():
    walled = dataclasses.replace(line_problem(), grid=WALLED, boundary=())
    other = dataclasses.replace(walled, boundary=(("dirichlet 1", "outflow"),))
    train, test = (Arrays(problem, counted_batch(problem, 2)) for problem in (walled, other))
    with pytest.raises(ValueError, match=r"the boundary .*Wall.* of train in the test split, found .*Dirichlet"):
        DataModule(train, train, test)


def test_a_missing_split(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m pdekit\.generate"):
        DataModule.from_folder(tmp_path)
    with pytest.raises(ValueError, match="expected batch_size >= 1, got 0"):
        Loading(batch_size=0)
