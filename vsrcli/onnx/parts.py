"""What of each network becomes a graph: the parts that its strategy calls."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vsrcli.networks.architectures import Network, for_inference
from vsrcli.networks.basicvsr import BasicVSR
from vsrcli.networks.fstrn import FSTRN
from vsrcli.networks.spmc import SPMC, correct, estimate_flows, splat_window
from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stdan_attention import Source
from vsrcli.networks.stfan import STFAN, STFANState
from vsrcli.networks.tga import RADIUS, TGA
from vsrcli.onnx.fstrn_step import FSTRNStep
from vsrcli.onnx.shapes import FRAMES, PICTURE, Value, Values, enlarged
from vsrcli.ops.deform import Sampler


@dataclass(frozen=True)
class Part:
    """A function of tensors that becomes a graph."""

    name: str
    work: Callable[..., Tensor | Sequence[Tensor]]
    """Takes the inputs in order and gives the outputs."""
    inputs: Values
    outputs: Values


def network_for_export(network: Network, dtype: torch.dtype) -> nn.Module:
    """A copy of a trained network in the form whose parts are traced, computing in `dtype` where
    its inference form does."""
    made: Any
    match network:
        case TGA() | STDAN() | BasicVSR():
            made = for_inference(network, dtype)
        case FSTRN():
            made = FSTRNStep(network, dtype)
        case STFAN():
            made = copy.deepcopy(network).to(dtype)
        case SPMC():
            made = copy.deepcopy(network)
            made.srmodel.to(dtype)
    exported: nn.Module = made.eval().requires_grad_(False)
    return exported


def parts_of(network: Any) -> list[Part]:
    """The parts of what `network_for_export` gave, in an order in which they can be run."""
    match network.spec.network:
        case "tga":
            return _tga_parts(network)
        case "spmc":
            return _spmc_parts(network)
        case "fstrn":
            return [Part("step", network.step, network.inputs, network.outputs)]
        case "stfan":
            return [_stfan_step(network)]
        case "basicvsr":
            return _basicvsr_parts(network)
        case _:
            return _stdan_parts(network)


def _tga_parts(network: Any) -> list[Part]:
    width = 3 * network.config.features * (3 if network.config.dilated else 1)
    features = Value(("N", width, "H", "W"), network.dtype)
    return _window_parts(network, 2 * RADIUS + 1, features, network.from_features)


def _spmc_parts(network: SPMC) -> list[Part]:
    config, motion, fusion = network.config, network.easyflow, network.srmodel

    def from_features(features: Sequence[Tensor], center: Tensor) -> Tensor:
        """As that of `SPMC`, with the fusion in a type of its own."""
        luma = torch.stack(tuple(features), 1)
        x = splat_window(luma, estimate_flows(motion, luma, config), config)
        correction = fusion(x.to(fusion.enc1.weight.dtype), len(features))
        return correct(center, correction, config)

    features = Value(("N", 1, "H", "W"))
    return _window_parts(network, config.frames, features, from_features)


def _window_parts(
    network: Any,
    count: int,
    features: Value,
    from_features: Callable[[Sequence[Tensor], Tensor], Tensor],
) -> list[Part]:
    frames = Value(FRAMES)
    slots = {f"features_{index}": features for index in range(count)}
    return [
        Part("frame_features", network.frame_features, {"frames": frames}, {"features": features}),
        Part(
            "from_features",
            lambda *x: from_features(x[:-1], x[-1]),
            {**slots, "center": frames},
            {"restored": Value(enlarged(network.spec.scales[0]))},
        ),
    ]


def _stfan_step(network: STFAN) -> Part:
    picture = Value(PICTURE)
    feature = Value((1, 2 * network.config.channels[-1], "H/4", "W/4"))

    def step(frame: Tensor, begins: Tensor, *state: Tensor) -> tuple[Tensor, Tensor]:
        encoded = network.encode(frame)
        first = (frame, frame, torch.cat((encoded, encoded), 1).float())
        chosen = (torch.where(begins > 0, new, old) for new, old in zip(first, state, strict=True))
        restored, after = network.step(frame, encoded, STFANState(*chosen))
        return restored, after.feature

    inputs = {
        "frame": picture,
        "begins": Value((1,)),
        "previous_frame": picture,
        "previous_restored": picture,
        "previous_feature": feature,
    }
    return Part("step", step, inputs, {"restored": picture, "feature": feature})


def _basicvsr_parts(network: Any) -> list[Part]:
    frame, frames = Value(PICTURE), Value(FRAMES)
    state = Value((1, network.config.features, "H", "W"), network.backward_trunk.state_dtype)
    flow, flows = (Value((count, 2, "H", "W")) for count in (1, "N"))
    restored = Value((1, *enlarged(network.spec.scales[0])[1:]))
    return [
        Part(
            "flows",
            network.flows,
            {"frames": frames, "following": frames},
            {"to_next": flows, "to_previous": flows},
        ),
        Part("align", network.align, {"state": state, "flow": flow}, {"aligned": state}),
        Part(
            "step_backward",
            network.step_backward,
            {"frame": frame, "aligned": state},
            {"behind": state},
        ),
        Part(
            "step_forward",
            network.step_forward,
            {"frame": frame, "behind": state, "aligned": state},
            {"restored": restored, "state": state},
        ),
    ]


def _stdan_parts(network: Any) -> list[Part]:
    """Smaller than what the strategy calls: its `from_features` is another for each number of
    frames and choice of outputs."""
    width, inner = network.config.features, network.config.embedding
    cell, aggregation = network.pcd_align_modified, network.stdfa
    correlation = aggregation.deformable_corr

    def pair_features(*pyramids: Tensor) -> Sequence[Tensor]:
        made: Sequence[Tensor] = network.pair_features(pyramids[:3], pyramids[3:])
        return made

    def between(pairs: Tensor, hidden: Tensor) -> Sequence[Tensor]:
        made = cell.between(pairs, hidden)
        return made, cell.next_hidden(made)

    def fused(ahead: Tensor, back: Tensor) -> Tensor:
        made: Tensor = network.fusion_f_b(torch.cat((ahead, back), 1))
        return made

    def offered(x: Tensor) -> Sequence[Tensor]:
        query, key, value = aggregation.projected(x)
        return query, correlation.query_half(query), correlation.key_half(key), key, value

    def found(
        query: Tensor, query_half: Tensor, key_half: Tensor, *maps: Tensor
    ) -> Sequence[Tensor]:
        samplers = (Sampler(x, correlation.groups) for x in maps)
        made: Sequence[Tensor] = correlation(query, query_half, Source(key_half, *samplers))
        return made

    def restored(x: Tensor, relevance: Tensor, taken: Tensor) -> Tensor:
        gathered = (relevance.softmax(0)[..., None] * taken).sum(0)
        made: Tensor = network.upsampled(network.feature_recon(x + aggregation.finished(gathered)))
        return made

    # The types are those of a run.
    pyramid = network.frame_features(
        torch.zeros(1, 3, network.config.window, network.config.window)
    )
    ahead, _ = network.pair_features(pyramid, pyramid)
    offer = offered(pyramid[0])
    wide = offer[0].dtype

    levels = (("full", ""), ("half", "/2"), ("quarter", "/4"))
    maps = {
        name: Value(("N", width, f"H{part}", f"W{part}"), x.dtype)
        for (name, part), x in zip(levels, pyramid, strict=True)
    }
    features = Value(("N", width, "H", "W"), ahead.dtype)
    names = ("query", "query_half", "key_half", "key", "value")
    offers = {n: Value(("N", inner, "H", "W"), x.dtype) for n, x in zip(names, offer, strict=True)}
    of_one = {n: Value((1, *v.shape[1:]), v.dtype) for n, v in offers.items() if "query" in n}
    relevance, taken = ("H", "W"), ("H", "W", inner)
    return [
        Part("frame_features", network.frame_features, {"frames": Value(FRAMES)}, maps),
        Part(
            "pair_features",
            pair_features,
            {f"{which}_{n}": v for which in ("first", "second") for n, v in maps.items()},
            {"ahead": features, "back": features},
        ),
        Part(
            "between",
            between,
            {"pairs": features, "hidden": features},
            {"made": features, "next": features},
        ),
        Part("fused", fused, {"ahead": features, "back": features}, {"map": features}),
        Part("offered", offered, {"map": features}, offers),
        Part(
            "found",
            found,
            {**offers, **of_one},
            {"relevance": Value(("N", *relevance), wide), "taken": Value(("N", *taken), wide)},
        ),
        Part(
            "restored",
            restored,
            {
                "map": features,
                "relevance": Value(("K", "N", *relevance), wide),
                "taken": Value(("K", "N", *taken), wide),
            },
            {"restored": Value(enlarged(network.spec.scales[0]))},
        ),
    ]
