"""Pretrained text encoder: what is refused before transformers is imported; tests/oracles has the rest."""

import sys

import pytest

from pdekit.nets.pretrained_text import FILES, HOME, PretrainedTextEncoder


def test_only_files_without_code_are_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setenv(HOME, str(tmp_path.parent))
    for name in FILES[:-1]:
        (tmp_path / name).write_text("{}")
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ValueError, match=r"expected a folder with .*, found no model.safetensors in"):
        PretrainedTextEncoder(tmp_path.name)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ImportError, match=r"install the extra: pip install 'pdekit\[text\]'"):
        PretrainedTextEncoder(tmp_path.name)
    for name in ("tokenizer_config.json", "config.json"):
        (tmp_path / name).write_text('{"auto_map": {"AutoModel": "own.Own"}}')
        with pytest.raises(ValueError, match="expected a model of transformers itself, found one with code of its own"):
            PretrainedTextEncoder(tmp_path.name)


@pytest.mark.parametrize("name", ["/etc", "../bert", "a/b", "..", ".", ""])
def test_a_configuration_names_no_place_outside(name, tmp_path, monkeypatch):
    monkeypatch.setenv(HOME, str(tmp_path))
    with pytest.raises(ValueError, match=f"expected the name of a folder in the one that {HOME} names"):
        PretrainedTextEncoder(name)
    monkeypatch.delenv(HOME)
    with pytest.raises(ValueError, match="set the variable to the folder in which your encoders lie"):
        PretrainedTextEncoder("bert")
