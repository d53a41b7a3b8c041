"""SPMC for inference: the same function as `SPMC`, arranged for speed."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.layout import channels_last
from vsrcli.networks.spec import forward_window
from vsrcli.networks.spmc import (
    SPMC,
    ConvLSTM,
    DetailFusion,
    LSTMState,
    correct,
    estimate_flows,
    splat_window,
)
from vsrcli.ops.ycbcr import rgb_to_luma


class SPMCInference(nn.Module):
    """(B, N, 3, H, W) RGB in [0, 1] -> (B, 1, 3, s*H, s*W) float32, not clamped.

    Encoder, recurrence and decoder compute in `dtype`. Luma, flow, splat, the encoder's first layer
    and the interpolated picture stay in float32: a flow in few bits would be off by parts of an
    output pixel, the other errors would be seen as they are, and together they are little work.
    """

    def __init__(self, network: SPMC, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = network.config
        self.spec = network.spec
        self.motion = channels_last(copy.deepcopy(network.easyflow)).requires_grad_(False)
        self.fusion = FusionInference(network.srmodel, dtype)

    def forward(self, frames: Tensor) -> Tensor:
        return forward_window(self, frames, self.config.radius)

    def frame_features(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1, H, W) float32: the luma."""
        return rgb_to_luma(frames.float())

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        """N x (B, 1, H, W) and the centre frames (B, 3, H, W) -> (B, 3, s*H, s*W) float32."""
        luma = torch.stack(tuple(features), 1)
        x = splat_window(luma, estimate_flows(self.motion, luma, self.config), self.config)
        return correct(center.float(), self.fusion(x, len(features)), self.config)


class FusionInference(nn.Module):
    """`DetailFusion`, frame by frame so that only the last frame's large maps are ever held."""

    def __init__(self, fusion: DetailFusion, dtype: torch.dtype) -> None:
        super().__init__()

        def layer(conv: nn.Conv2d | nn.ConvTranspose2d) -> _Layer:
            return _Layer(conv.weight, conv.bias, dtype)

        self.dtype = dtype
        # (32, 1, 5, 5) -> (32, 5, 5, 1): the columns of the kernel are channels, see `_encode`.
        columns = fusion.enc1.weight.permute(0, 3, 2, 1)
        self.enc1 = _Layer(columns, fusion.enc1.bias, torch.float32)
        self.enc2 = layer(fusion.enc2)
        self.enc2_1 = layer(fusion.enc2_1)
        self.enc3 = layer(fusion.enc3)
        self.lstm = LSTMInference(fusion.convLSTM, dtype)
        self.enc3_1 = layer(fusion.enc3_1)
        self.dec1 = layer(fusion.dec1)
        self.dec1_1 = layer(fusion.dec1_1)
        self.dec2 = layer(fusion.dec2)
        self.dec2_1 = layer(fusion.dec2_1)
        self.dec3 = _Layer(*_in_blocks(fusion.dec3), dtype)

    def forward(self, x: Tensor, count: int) -> Tensor:
        """(count*B, 1, H, W) float32 in time order -> (B, 1, H, W), the correction of the last
        step."""
        state: LSTMState | None = None
        for frame in x.chunk(count):
            full, half, quarter = self._encode(frame)
            state = self.lstm(quarter, state)
        assert state is not None
        return self._decode(state.hidden, half, full)

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A splat frame's maps at full, half and quarter size.

        The strided convolutions want one line of zeros after the last and none before the first.
        Rather than copying the maps to add it, they are made larger than needed from the start,
        and what is too much is zeroed.
        """
        shifted = F.pad(x, (2, 5, 2, 5)).unfold(3, 5, 1)[:, 0].permute(0, 3, 1, 2)
        shifted = shifted.contiguous(memory_format=torch.channels_last)
        full = _zero_ends(self.enc1(shifted).relu_().to(self.dtype), 3)
        half = _zero_ends(self.enc2(full, stride=2).relu_(), 1)
        half = _zero_ends(self.enc2_1(half, padding=1).relu_(), 1)
        quarter = self.enc3(half, stride=2).relu_()
        return full[..., :-3, :-3], half[..., :-1, :-1], quarter

    def _decode(self, hidden: Tensor, half: Tensor, full: Tensor) -> Tensor:
        x = self.enc3_1(hidden, padding=1).relu_()
        x = self.dec1.transposed(x).relu_().add_(half)
        x = self.dec1_1(x, padding=1).relu_()
        x = self.dec2.transposed(x).relu_().add_(full)
        x = self.dec2_1(x, padding=1).relu_()
        return F.pixel_shuffle(self.dec3(x, stride=4, padding=2), 4)


class LSTMInference(nn.Module):
    """`ConvLSTM` with its gates in the order i, o, f, j and the forget bias among the biases."""

    def __init__(self, lstm: ConvLSTM, dtype: torch.dtype) -> None:
        super().__init__()
        self.width = width = lstm.width
        i, j, f, o = lstm.LSTM_conv.weight.chunk(4)
        assert lstm.LSTM_conv.bias is not None
        bias_i, bias_j, bias_f, bias_o = lstm.LSTM_conv.bias.chunk(4)
        begin = torch.cat((i, o, j))[:, :width]
        self.begin = _Layer(begin, torch.cat((bias_i, bias_o, bias_j)), dtype)
        bias = torch.cat((bias_i, bias_o, bias_f + 1, bias_j))
        self.gates = _Layer(torch.cat((i, o, f, j)), bias, dtype)

    def forward(self, x: Tensor, state: LSTMState | None) -> LSTMState:
        """The step's input (B, C, h, w), and the state before it, None for zeros."""
        width = self.width
        if state is None:
            gates = self.begin(x, padding=1)
        else:
            gates = self.gates(torch.cat((x, state.hidden), 1), padding=1)
        j = gates[:, -width:].tanh_()
        i, o, *f = gates[:, :-width].sigmoid_().split(width, 1)
        cell = i * j
        if state is not None:
            cell.addcmul_(state.cell, f[0])
        return LSTMState(cell, torch.tanh(cell).mul_(o))


class _Layer(nn.Module):
    """The frozen weight and bias of a convolution."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__()
        assert bias is not None
        laid_out = weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", laid_out)
        self.register_buffer("bias", bias.detach().to(dtype).contiguous())

    def forward(self, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, stride, padding)

    def transposed(self, x: Tensor) -> Tensor:
        """Twice the size, of a kernel of 4."""
        return F.conv_transpose2d(x, self.weight, self.bias, stride=2, padding=1)


def _zero_ends(x: Tensor, count: int) -> Tensor:
    """`x` with its last `count` rows and columns set to zero in place."""
    x[..., -count:, :] = 0
    x[..., -count:] = 0
    return x


def _in_blocks(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """A convolution to one channel, kernel 5 and padding 2, as one to 16 channels, kernel 8,
    stride 4 and padding 2, which makes blocks of 4 x 4 pixels: the arithmetic is 2.6 times as
    much, but one output channel alone would leave most of a processor idle."""
    weight, bias = conv.weight, conv.bias
    assert bias is not None
    blocks = weight.new_zeros(4, 4, conv.in_channels, 8, 8)
    for row in range(4):
        for column in range(4):
            blocks[row, column, :, row : row + 5, column : column + 5] = weight.detach()[0]
    return blocks.flatten(0, 1), bias.expand(16)
