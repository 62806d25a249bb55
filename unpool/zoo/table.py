"""What exists, as names and dotted strings. Only `load` and the command line resolve them."""

import importlib
from typing import Any

# Task of a record -> the class that answers a user's calls, constructed as Predictor(module, record, device).
PREDICTORS = {
    "classification": "unpool.zoo.imagenet:Classifier",
    "classic": "unpool.zoo.plain:Plain",
    "autoencoders": "unpool.autoencoders.api:Coder",
    "explanation": "unpool.explanation.predictors:predictor",
    "restoration": "unpool.restoration.api:Predictor",
    "generation": "unpool.generation.api:predictor",
    "faces": "unpool.faces.api:predictor",
    "codec": "unpool.codec.api:PictureCodec",
}

# Networks whose weights travel in a package of their own: name -> class with `record`, `path` and `load()`.
PACKAGED = {
    "efficientnet-lite0": "unpool.zoo.imagenet:EfficientNetLite0Package",
}

# Packages of unpool that may hold a network named by a record. Nothing else is imported on a file's word.
NETWORK_HOMES = ("nn", "zoo", "explanation", "autoencoders", "generation", "restoration", "codec", "faces", "train")


def resolve(dotted: str) -> Any:
    """What a "package.module:name" string of this table stands for."""
    module_name, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module_name), name)
