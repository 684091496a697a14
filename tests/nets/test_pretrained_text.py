"""Pretrained text encoder: what is refused before transformers is imported; tests/oracles has the rest."""

import sys

import pytest

from pdekit.nets.pretrained_text import FILES, PretrainedTextEncoder


def test_only_files_without_code_are_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for name in FILES[:-1]:
        (tmp_path / name).write_text("{}")
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ValueError, match=r"expected a folder with .*, found no model.safetensors in"):
        PretrainedTextEncoder(str(tmp_path))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ImportError, match=r"install the extra: pip install 'pdekit\[text\]'"):
        PretrainedTextEncoder(str(tmp_path))
    for name in ("tokenizer_config.json", "config.json"):
        (tmp_path / name).write_text('{"auto_map": {"AutoModel": "own.Own"}}')
        with pytest.raises(ValueError, match="expected a model of transformers itself, found one with code of its own"):
            PretrainedTextEncoder(str(tmp_path))
