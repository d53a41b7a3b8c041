"""What kind of operators may be used."""

from __future__ import annotations

import torch


def needs_graph() -> bool:
    """Whether gradients, the compiler or an exporter follow what is computed; they know the
    ordinary operators only, and no loops over portions of a size yet unknown."""
    return (
        torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
    )
