"""Pretrained text encoder: a tiny local model of transformers, what is trained, what is refused."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from pdekit.nets.pretrained_text import HOME, PretrainedTextEncoder

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "two", "plumes", "rise", "one", "plume", "rises")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.oracle

CAPTIONS = ["two plumes rise", "one plume"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT with random weights of four channels, and a tokenizer of ten words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    path = tmp_path_factory.mktemp("bert")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]").save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=8, **sizes)
    transformers.BertModel(config).save_pretrained(path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(HOME, str(path.parent))
        yield path


def test_only_the_map_is_trained_unless_the_encoder_is_fine_tuned(folder):
    for fine_tuned in (False, True):
        encoder = PretrainedTextEncoder(folder.name, 6, fine_tuned)
        tokens, mask = encoder(CAPTIONS)
        assert tokens.shape == (2, 5, 6) and mask.sum(1).tolist() == [5, 4]
        tokens.square().sum().backward()
        reached = any(p.grad is not None for p in encoder.pretrained.parameters())
        assert reached == fine_tuned == encoder.pretrained.training and encoder.linear.weight.grad is not None
        encoder.eval()
        assert torch.equal(encoder(CAPTIONS)[0], encoder(CAPTIONS)[0])
        alone = encoder(CAPTIONS[1:])[0]
        torch.testing.assert_close(encoder(CAPTIONS)[0][1:, :4], alone)  # padding does not matter


def test_weights_come_from_the_run(folder):
    first, second = (PretrainedTextEncoder(folder.name, 6, True).eval() for _ in range(2))
    first.vocabulary.learn(CAPTIONS)
    with torch.no_grad():
        first.pretrained.embeddings.word_embeddings.weight.add_(1.0)
    assert not torch.equal(first(CAPTIONS)[0], second(CAPTIONS)[0])
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(CAPTIONS)[0], second(CAPTIONS)[0])
    assert second.vocabulary.remarks("two plums")[0].startswith("'plums' was not in the captions")


def test_a_long_caption_is_refused(folder):
    encoder = PretrainedTextEncoder(folder.name)
    with pytest.raises(ValueError, match="expected captions of at most 8 tokens, got one of 11; shorten it"):
        encoder(["two plumes rise one plume rises two plumes rise"])


def test_a_damaged_file_is_no_model(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(HOME, str(tmp_path.parent))
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    some = {k: v for k, v in load_file(folder / "model.safetensors").items() if "word_embeddings" not in k}
    save_file(some, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="expected weights of all parts of the model"):
        PretrainedTextEncoder(tmp_path.name)
