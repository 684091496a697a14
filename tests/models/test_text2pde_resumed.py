"""Text2PDE: a run that is stopped in both of its trainings ends with the weights of one that was not."""

import os
import signal

import numpy as np
import pytest

import pdekit
from pdekit.data import from_arrays
from pdekit.data.loading import Loading
from pdekit.models.autoencoder import Autoencoder
from pdekit.models.text2pde import Text2PDE
from pdekit.workflows.training_run import Stopped
from tests.training.test_module import assert_equal_weights, metrics

SMALL = [
    "model.autoencoder.net.widths=[4]", "model.autoencoder.net.latent_channels=2",
    "model.autoencoder.net.time_halvings=1", "model.encoder.width=8", "model.encoder.depth=1", "model.net.size.width=8",
    "model.net.size.depth=1", "model.net.size.heads=2", "training.steps=14", "training.lr=1e-2", "training.ema=0.9",
    "training.validate_every=6", "training.checkpoint_every=4", "training.validate_batches=1", "evaluate=false",
]  # fmt: skip


def waves():
    """Ten captioned waves: nine of training are two batches, so that epochs are crossed."""
    height = 0.1 + 0.1 * np.arange(10).reshape(-1, 1, 1, 1)
    x, t = np.arange(16) * 2 * np.pi / 16, np.arange(6)[:, None, None] * 0.3
    text = [f"a wave of height {value:.1f}" for value in height.ravel()]
    u = np.sin(x + 3 * height - t) * height
    parts = {"train": slice(0, 9), "valid": slice(9, 10), "test": slice(9, 10)}
    options = {"text": {split: text[part] for split, part in parts.items()}, "loading": Loading(batch_size=4)}
    return from_arrays(*(u[part] for part in parts.values()), dt=0.3, extent=(2 * np.pi,), fields=["u"], **options)


def stop(monkeypatch, method, at, number):
    """Send the process a signal before a step of a method, once."""

    def before_step(self, stage, step):
        if step == at:
            monkeypatch.undo()
            os.kill(os.getpid(), number)

    monkeypatch.setattr(method, "before_step", before_step)


@pytest.mark.slow
def test_a_run_that_is_stopped_twice_ends_with_the_same_weights(tmp_path, monkeypatch):
    """SIGTERM in the training of the autoencoder, SIGINT in that of the transformer: between checkpoints."""
    whole = pdekit.train("text2pde", waves(), [*SMALL, f"runs_dir={tmp_path / 'whole'}"])
    stop(monkeypatch, Autoencoder, 5, signal.SIGTERM)
    with pytest.raises(Stopped, match="stopped in the training of what the method requires"):
        pdekit.train("text2pde", waves(), [*SMALL, f"runs_dir={tmp_path / 'stopped'}"])
    (folder,) = (tmp_path / "stopped").iterdir()
    stop(monkeypatch, Text2PDE, 8, signal.SIGINT)
    with pytest.raises(Stopped, match="stopped after 9 steps"):
        pdekit.train(data=waves(), resume=folder)
    found = pdekit.train(data=waves(), resume=folder)
    assert found.path == folder
    assert_equal_weights(pdekit.load(folder).model, pdekit.load(whole.path).model)
    assert_equal_weights(found.model, whole.model)
    for place in (".", "autoencoder"):
        assert metrics(folder / place) == metrics(whole.path / place) != []
