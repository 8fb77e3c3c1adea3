"""What a network costs: its weights, and the operations of one pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def forward_flops(network: nn.Module, image: Tensor) -> int:
    """Floating-point operations of one pass over `image` `(B, C, H, W)`, products and sums of attention included."""
    timestep = torch.ones(len(image), dtype=torch.long, device=image.device)
    # the fused attention of a CPU is not counted by torch; the plain one does the same products
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        network(image, timestep)
    return int(counter.get_total_flops())


def parameter_count(model: nn.Module) -> int:
    """Number of weights of `model`."""
    return sum(parameter.numel() for parameter in model.parameters())
