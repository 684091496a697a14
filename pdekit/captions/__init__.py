"""Captions: deterministic sentences about a trajectory, with levels of detail and paraphrases, and their reader."""

from pdekit.captions.caption import LEVELS, caption, captions_of

__all__ = ["LEVELS", "caption", "captions_of"]
