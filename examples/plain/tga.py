"""TGA as one would write it from the paper: nn.Conv3d throughout on nine slots, batch norms and
concatenations as they come, default layout, fp32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from plain.comparison import Comparison
from torch import Tensor, nn

from vsrcli.networks.tga import RADIUS, TGA, bicubic_base, inter_names, intra_names
from vsrcli.networks.tga_inference import TGAInference

SLOTS = [0, 3, 6, 2, 3, 4, 1, 3, 5]


class PlainTGA(nn.Module):
    """The published network on 5-D tensors (B, C, T, H, W)."""

    def __init__(self, network: TGA) -> None:
        super().__init__()
        self.config = network.config
        self.layers = nn.ModuleDict()
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                kernel = (1, *module.kernel_size)
                layer: nn.Module = nn.Conv3d(
                    module.in_channels, module.out_channels, kernel, padding=(0, *module.padding)
                )
                layer.weight.data = module.weight.data[:, :, None].clone()
                layer.bias.data = module.bias.data.clone()
            elif isinstance(module, nn.Conv3d):
                stride = (3, 1, 1) if name == "conv3d_2_2" else 1
                layer = nn.Conv3d(
                    module.in_channels, module.out_channels, 3, stride, module.padding
                )
                layer.load_state_dict(module.state_dict())
            elif isinstance(module, nn.BatchNorm2d):
                layer = nn.BatchNorm3d(module.num_features, eps=module.eps)
                layer.load_state_dict(module.state_dict())
            else:
                continue
            self.layers[name.replace(".", "/")] = layer

    def _run(self, name: str, x: Tensor) -> Tensor:
        return self.layers[name.replace(".", "/")](x)

    def _unit(self, block: str, index: int, x: Tensor) -> Tensor:
        first, second = 2 * index + 1, 2 * index + 2
        y = F.relu(self._run(f"{block}.bn3d_{first}", x))
        y = F.relu(self._run(f"{block}.bn3d_{second}", self._run(f"{block}.conv3d_{first}", y)))
        return self._run(f"{block}.conv3d_{second}", y)

    def _block(self, block: str, x: Tensor) -> Tensor:
        for index in range(3):
            new = self._unit(block, index, x)
            if block == "last" and index == 2:
                new, logit = new[:, :-1], new[:, -1:]
                new = new * logit.softmax(2)
            x = torch.cat((x, new), 1)
        return x

    def forward(self, frames: Tensor) -> Tensor:
        run = self._run
        x = frames[:, SLOTS].transpose(1, 2)
        for step in ("1", "2", "2_1"):
            x = F.relu(run(f"bn3d_{step}", run(f"conv3d_{step}", x)))
        x = run("conv3d_2_2", x)
        for name in intra_names(self.config):
            x = self._block(name, x)
        y = F.relu(run("fusion_head.bn3d_2", run("fusion_head.conv3d_1", F.relu(x))))
        x = torch.cat((x, run("fusion_head.conv3d_2", y)), 1)
        y = F.relu(run("fusion_head.bn3d_3", x))
        y = F.relu(run("fusion_head.bn3d_4", run("fusion_head.conv3d_3", y)))
        x = torch.cat((x, run("fusion_head.conv3d_4", y)), 1)
        y = F.relu(run("Fusion_last.bn3d_1", x))
        y = F.relu(run("Fusion_last.bn3d_2", run("Fusion_last.conv3d_1", y)))
        x = torch.cat((x[:, :, 1:2], run("Fusion_last.conv3d_2", y)), 1)
        y = F.relu(run("Fusion_last.bn3d_3", x))
        y = F.relu(run("Fusion_last.bn3d_4", run("Fusion_last.conv3d_3", y)))
        x = torch.cat((x, run("Fusion_last.conv3d_4", y)), 1)
        x = run("compress", F.relu(run("bn3d_2_2", x)))
        for name in inter_names(self.config):
            x = self._block(name, x)
        x = F.relu(run("conv3d_r1", F.relu(run("conv3d_3", F.relu(run("bn3d_3", x))))))
        x = F.relu(F.pixel_shuffle(run("conv3d_r2", x)[:, :, 0], 2))
        x = F.relu(run("conv3d_r4", x[:, :, None]))
        return bicubic_base(frames[:, 3]) + F.pixel_shuffle(run("conv3d_r3", x)[:, :, 0], 2)


def compare(network: TGA, dtype: torch.dtype, frames: Tensor) -> Comparison:
    """One window, plainly; and what one more frame costs in a stream: its own features and one
    fusion. `frames` (T, 3, H, W), T >= 7."""
    window = frames[None, : 2 * RADIUS + 1]
    plain, fast = PlainTGA(network).eval(), TGAInference(network, dtype)
    features = fast.frame_features(window[0]).split(1)

    def ours() -> Tensor:
        fast.frame_features(window[0, :1])
        return fast.from_features(features, window[:, RADIUS])

    return Comparison(
        plain=lambda: plain(window),
        ours=ours,
        plain_frames=1,
        our_frames=1,
        difference=lambda: float((ours() - plain(window)).abs().max()),
    )
