"""What the machine is that a bench ran on."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import vsrcli

_INSTRUCTIONS = (
    *("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_fp16", "asimd", "asimdhp", "bf16", "sve"),
)
"""Processor flags that decide how fast a network runs, as Linux spells them."""

_ASKED_OF_CARD = ("driver_version", "clocks.sm", "clocks.mem", "clocks.max.sm", "power.limit")
_SECONDS_FOR_AN_ANSWER = 20


@dataclass(frozen=True)
class Card:
    """A graphics card."""

    name: str
    memory: int
    """Bytes."""
    capability: str
    """CUDA compute capability."""
    driver: str | None
    cuda: str | None
    """Of the torch build, as the next one."""
    cudnn: int | None


@dataclass(frozen=True)
class Machine:
    """The machine, and the state it was found in."""

    device: str
    """Where the models ran: cpu, cuda, mps."""
    processor: str
    instructions: tuple[str, ...]
    """Those of the processor that matter here."""
    cores: int
    """That this process may use."""
    threads: int
    """That torch uses for an operation."""
    system: str
    versions: dict[str, str | None]
    """Of vsr, Python, torch, onnxruntime and av."""
    card: Card | None
    load: float | None
    """Processes that wanted to run in the minute before the bench: it should be near 0."""

    @property
    def name(self) -> str:
        """What the models ran on, in a few words."""
        if self.card is not None:
            return self.card.name
        return f"{self.processor}, {self.threads} thread{'' if self.threads == 1 else 's'}"


def look_at(device: torch.device) -> Machine:
    """The machine as it is now, before the bench."""
    processor, flags = _processor()
    return Machine(
        device=device.type,
        processor=processor,
        instructions=tuple(flag for flag in _INSTRUCTIONS if flag in flags),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _all_cores(),
        threads=torch.get_num_threads(),
        system=platform.platform(),
        versions={
            "vsr": vsrcli.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnxruntime": _installed("onnxruntime-gpu") or _installed("onnxruntime"),
            "av": _installed("av"),
        },
        card=_card(device) if device.type == "cuda" else None,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def clocks_of(device: torch.device) -> dict[str, float]:
    """The clocks as they are at this moment, MHz, as far as the system tells; empty if it does
    not. Of a card also `power_limit`, watts."""
    if device.type == "cuda":
        told = _told_by_card(device)
        names = {"sm": "clocks.sm", "memory": "clocks.mem", "sm_highest": "clocks.max.sm"}
        names["power_limit"] = "power.limit"
        return {name: float(told[key]) for name, key in names.items() if _is_number(told.get(key))}
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        rates = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
        if rates:
            return {"processor_lowest": min(rates), "processor_highest": max(rates)}
    return {}


def _processor() -> tuple[str, set[str]]:
    """Name and flags."""
    values: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            values.setdefault(key.strip(), value.strip())
    name = values.get("model name") or platform.processor() or platform.machine()
    return name, set((values.get("flags") or values.get("Features") or "").split())


def _all_cores() -> int:
    return os.cpu_count() or 1


def _installed(package: str) -> str | None:
    """The version of a package, without loading it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _card(device: torch.device) -> Card:
    properties = torch.cuda.get_device_properties(device)
    return Card(
        name=properties.name,
        memory=properties.total_memory,
        capability=f"{properties.major}.{properties.minor}",
        driver=_told_by_card(device).get("driver_version"),
        cuda=torch.version.cuda,
        cudnn=torch.backends.cudnn.version(),
    )


def _told_by_card(device: torch.device) -> dict[str, str]:
    """What the driver's own tool says; empty where it is not there or does not answer."""
    uuid = torch.cuda.get_device_properties(device).uuid
    query = f"--query-gpu={','.join(_ASKED_OF_CARD)}"
    command = ["nvidia-smi", "-i", f"GPU-{uuid}", query, "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_SECONDS_FOR_AN_ANSWER
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(_ASKED_OF_CARD, (value.strip() for value in answer.split(",")), strict=False))


def _is_number(text: str | None) -> bool:
    return text is not None and text.replace(".", "", 1).isdecimal()
