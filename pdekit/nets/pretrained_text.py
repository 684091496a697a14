"""Text encoder from a folder in the format of Hugging Face: a pretrained transformer and a linear map of its tokens.

The library is transformers (extra ``text``). It is imported only when such an encoder is made.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pdekit.nets.vocabulary import Vocabulary

FILES = ("config.json", "tokenizer.json", "model.safetensors")
HOME = "PDEKIT_TEXT_ENCODERS"
"""Environment variable with the folder in which the user keeps encoders: a configuration gives the name of one only."""
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class PretrainedTextEncoder(nn.Module):
    """Captions -> tokens, norm(W h) with h the last hidden states of a pretrained encoder; W is learnt.

    Text2PDE uses RoBERTa, fine-tuned with the model (``fine_tuned=True``). Words and values of the training captions
    are kept for remarks on prompts, as by `TextEncoder`; they do not enter the tokens.

    Limits: only files of one folder are read, never the internet. Weights must be safetensors, and code that comes with
    a model is not run: the architecture must be one of transformers itself. A run needs the folder again when it is
    loaded; its weights come from the run. Numbers are read as their digits.

    Args:
        name: of a folder with config.json, tokenizer.json and model.safetensors, which lies in the folder that the
            environment variable PDEKIT_TEXT_ENCODERS names. A stored configuration can name no other place.
        width: length of the tokens.
        fine_tuned: whether the pretrained weights are trained, too.
        n_words: most words of the vocabulary that is kept for remarks.

    Raises:
        ImportError: if transformers is not installed.
        ValueError: on a folder without these files or with code of its own, weights that are missing, a model with a
            decoder or one that transformers does not know, or a tokenizer that cannot pad.
    """

    configurable = True

    def __init__(self, name: str, width: int = 64, fine_tuned: bool = False, n_words: int = 2048):
        super().__init__()
        where = encoder_folder(name)
        check_code(where)
        library = require_transformers()
        local = {"local_files_only": True, "trust_remote_code": False}
        config = library.AutoConfig.from_pretrained(where, **local)
        self.tokenizer = library.AutoTokenizer.from_pretrained(where, **local)
        if config.is_encoder_decoder or self.tokenizer.pad_token is None:
            raise ValueError(
                f"expected an encoder whose tokenizer has a token for padding, got {config.model_type} in {where}; "
                "use one like BERT or RoBERTa"
            )
        options = {"use_safetensors": True, "output_loading_info": True, **local}
        pretrained, found = library.AutoModel.from_pretrained(where, **options)
        if lacking := [name for name in found["missing_keys"] if "pooler" not in name]:
            raise ValueError(
                f"expected weights of all parts of the model, found no {min(lacking)} in {where}; "
                "save the whole model again"
            )
        self.pretrained = pretrained.float()
        self.width, self.fine_tuned = width, fine_tuned
        self.longest = min(self.tokenizer.model_max_length, getattr(config, "max_position_embeddings", 512))
        self.pretrained.requires_grad_(fine_tuned)
        self.vocabulary = Vocabulary(n_words)
        self.linear, self.norm = nn.Linear(config.hidden_size, width), nn.LayerNorm(width)
        self.train()

    def train(self, mode: bool = True) -> PretrainedTextEncoder:
        """Switch dropout on or off; weights that rest never have any."""
        super().train(mode)
        self.pretrained.train(mode and self.fine_tuned)
        return self

    def forward(
        self, captions: Sequence[str]
    ) -> tuple[Float[Tensor, "batch token width"], Bool[Tensor, "batch token"]]:
        """Return the tokens and which of them exist.

        Raises:
            ValueError: if a caption has more tokens than the pretrained encoder can read.
        """
        found = self.tokenizer(list(captions), padding=True, return_tensors="pt")
        if (n := found["input_ids"].shape[1]) > self.longest:
            raise ValueError(f"expected captions of at most {self.longest} tokens, got one of {n}; shorten it")
        device = self.linear.weight.device
        ids, mask = (found[name].to(device) for name in ("input_ids", "attention_mask"))
        with torch.set_grad_enabled(self.fine_tuned and torch.is_grad_enabled()):
            hidden = self.pretrained(input_ids=ids, attention_mask=mask).last_hidden_state
        return self.norm(self.linear(hidden.to(self.linear.weight.dtype))), mask > 0


def encoder_folder(name: str) -> Path:
    """Return the folder of an encoder.

    Raises:
        ValueError: if the variable is not set, the name is a path, or files are missing.
    """
    home = os.environ.get(HOME)
    if not home or not NAME.fullmatch(name):
        raise ValueError(
            f"expected the name of a folder in the one that {HOME} names, got {name!r} and {HOME}={home or ''}; set "
            "the variable to the folder in which your encoders lie, and give the name of one"
        )
    folder = Path(home) / name
    if missing := [file for file in FILES if not (folder / file).is_file()]:
        raise ValueError(
            f"expected a folder with {', '.join(FILES)}, found no {', '.join(missing)} in {folder}; save the model and "
            "its tokenizer there with save_pretrained"
        )
    return folder


def check_code(folder: Path) -> None:
    """Raise ValueError for a model that comes with code of its own."""
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        if path.is_file() and "auto_map" in json.loads(path.read_text()):
            raise ValueError(
                f"expected a model of transformers itself, found one with code of its own in {path}, which is not run; "
                "use one like BERT or RoBERTa"
            )


def require_transformers() -> ModuleType:
    """Return the module `transformers`.

    Raises:
        ImportError: if it is not installed, with the command that installs it.
    """
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "expected the library transformers for a pretrained text encoder, found none; install the extra: "
            "pip install 'pdekit[text]'"
        ) from error
    return transformers
