"""neuraloperator's own loader opens the files that the tests write in its layout, and finds what pdekit reads."""

import pytest
import torch
from neuralop.data.datasets.pt_dataset import PTDataset

from pdekit.data.formats import open_path
from tests.data.formats import published_others

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("write", [published_others.darcy_pt, published_others.burgers_pt])
def test_its_loader_finds_the_same_pairs(tmp_path, write):
    for split, n in (("train", 5), ("test", 3)):
        write(tmp_path / f"mine_{split}_8.pt", n=n)
    theirs = PTDataset(tmp_path, "mine", 5, [3], 2, [2], 8, [8], encode_output=False)
    ours = open_path(tmp_path / "mine_train_8.pt")
    batches = [ours["train"].read(i) for i in range(ours["train"].n_trajectories)] + [ours["valid"].read(0)]
    batches += [ours["test"].read(i) for i in range(3)]
    pairs = [theirs.train_db[i] for i in range(5)] + [theirs.test_dbs[8][i] for i in range(3)]
    assert len(batches) == len(pairs) == 8
    for batch, pair in zip(batches, pairs, strict=True):
        first = batch.coeffs[0, 0] if batch.coeffs is not None else batch.u[0, 0, 0]
        assert torch.equal(first.float(), pair["x"][0])
        assert torch.equal(batch.u[0, :, 0].to(pair["y"].dtype).squeeze(0), pair["y"][0])
