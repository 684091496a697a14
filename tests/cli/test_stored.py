"""Stored configurations: bounded, without interpolation, refused in a sentence if damaged."""

import pytest

from pdekit.cli.stored import check_config, read_config

BOMB = "a: &a [1, 1]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


def test_values_come_back(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("training: {lr: 1e-3}\nseed: 0\n")
    assert read_config(path) == {"training": {"lr": 1e-3}, "seed": 0}


@pytest.mark.parametrize(
    "text", ["", "- 1\n", "a: [1, 2", "a: ${oc.env:HOME}", BOMB, "a: " + "[" * 500 + "]" * 500, "a: " + "9" * 40]
)
def test_damaged_and_hostile_files_are_refused(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="expected"):
        read_config(path)


def test_a_file_that_was_cut_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected model in .*may have been cut"):
        check_config({"seed": 0}, tmp_path)


def test_a_configuration_over_ten_megabytes_is_not_read(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: 1\n" + "#" * 10_000_000)
    with pytest.raises(ValueError, match="at most 10 MB"):
        read_config(path)
