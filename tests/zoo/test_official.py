"""Official checkpoints: both variants in every wrapping, and what must not get in."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from parity import load_fixture
from safetensors.torch import save_file
from torch import Tensor

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.official import import_checkpoint

State = dict[str, Tensor]


def _plain(state: State, folder: Path) -> Path:
    torch.save(state, folder / "x.pth")
    return folder / "x.pth"


def _parallel(state: State, folder: Path) -> Path:
    torch.save({f"module.{key}": value for key, value in state.items()}, folder / "x.pth")
    return folder / "x.pth"


def _wrapped(state: State, folder: Path) -> Path:
    torch.save({"state_dict": state, "epoch": 3}, folder / "x.pth")
    return folder / "x.pth"


def _zipped(state: State, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.write(_parallel(state, folder), "TGA-without-align-dla.pth")
    return folder / "x.zip"


def _legacy(state: State, folder: Path) -> Path:
    torch.save(state, folder / "x.pth", _use_new_zipfile_serialization=False)
    return folder / "x.pth"


def _safetensors(state: State, folder: Path) -> Path:
    save_file(state, folder / "x.safetensors")
    return folder / "x.safetensors"


@pytest.mark.parametrize(
    "write", [_plain, _parallel, _wrapped, _zipped, _legacy, _safetensors], ids=lambda f: f.__name__
)
def test_every_wrapping(write: Callable[[State, Path], Path], tmp_path: Path) -> None:
    official = load_fixture("tga").state
    network = import_checkpoint("tga", write(official, tmp_path))
    assert not network.config.dilated
    own = network.state_dict()
    assert torch.equal(own["conv3d_1.weight"], official["conv3d_1.weight"][:, :, 0])
    assert torch.equal(own["Fusion_last.conv3d_2.weight"], official["Fusion_last.conv3d_2.weight"])


@torch.no_grad()
def test_imported_dilated_variant_gives_the_official_output(tmp_path: Path) -> None:
    fixture = load_fixture("tga_dilated")
    network = import_checkpoint("tga", _parallel(fixture.state, tmp_path))
    assert network.config.dilated
    output = network(fixture["lr"])[:, 0]
    assert (output - fixture["output"]).abs().max() < fixture.tolerance


class _Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, protocol: str) -> None:
    canary, path = tmp_path / "canary", tmp_path / "evil.pth"
    evil = {"conv3d_1.weight": torch.zeros(1), "x": _Payload(canary)}
    if protocol == "torch":
        torch.save(evil, path)
    else:
        path.write_bytes(pickle.dumps(evil))
    with pytest.raises(WeightsError):
        import_checkpoint("tga", path)
    assert not canary.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken", b"\x80\x02."])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="bad.pth"):
        import_checkpoint("tga", path)


def test_truncated_checkpoint(tmp_path: Path) -> None:
    path = _plain(load_fixture("tga").state, tmp_path)
    path.write_bytes(path.read_bytes()[: 2**20])
    with pytest.raises(WeightsError, match="x.pth"):
        import_checkpoint("tga", path)


def test_what_is_no_tga(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    official = load_fixture("tga").state
    for saved, message in (
        ({"a.weight": torch.zeros(1)}, "lacks"),
        ({**official, "extra": torch.zeros(1)}, "unknown extra"),
        ({**official, "compress.weight": torch.zeros(1)}, "has shape"),
        ({}, "no tensors"),
        ({"epoch": 3}, "more than tensors"),
        (torch.zeros(1), "no tensors"),
    ):
        torch.save(saved, path)
        with pytest.raises(WeightsError, match=message):
            import_checkpoint("tga", path)


def test_archive_of_two(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.pth", b"")
        archive.writestr("b.pth", b"")
    with pytest.raises(WeightsError, match="holds 2 checkpoints"):
        import_checkpoint("tga", tmp_path / "two.zip")


def test_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="No checkpoint file"):
        import_checkpoint("tga", tmp_path / "absent.pth")
    with pytest.raises(UsageError, match="choose one of tga"):
        import_checkpoint("edvr", tmp_path / "absent.pth")


@torch.no_grad()
def test_stfan_as_its_authors_save_it(tmp_path: Path) -> None:
    """Wrapped in what their training leaves, its colours blue, green, red."""
    fixture = load_fixture("stfan")
    saved = {
        "epoch_idx": 3,
        "Best_Img_PSNR": torch.tensor(31.2),
        "deblurnet_state_dict": {f"module.{k}": v for k, v in fixture.state.items()},
    }
    path = tmp_path / "best-ckpt.pth.tar"
    torch.save(saved, path, _use_new_zipfile_serialization=False)
    network = import_checkpoint("stfan", path)
    made = network(fixture["blur"].flip(2)).flip(2)
    assert (made - fixture["output"]).abs().max() < fixture.tolerance


def test_stdan_without_its_constants(tmp_path: Path) -> None:
    """The 72 buffers of one picture size are left out, every parameter is taken."""
    fixture = load_fixture("stdan")
    constants = {
        f"{branch}.layers.{group}.residual_group.blocks.{block}.attn.relative_position_index"
        for branch, groups in (("feature_extraction", 2), ("feature_recon", 6))
        for group in range(groups)
        for block in range(6)
    }
    state = {
        **fixture.state,
        **{key: torch.zeros(64, 64, dtype=torch.int64) for key in constants},
        "feature_recon.layers.0.residual_group.blocks.1.attn_mask": torch.zeros(16, 64, 64),
    }
    torch.save(state, tmp_path / "STDAN.pth")
    own = import_checkpoint("stdan", tmp_path / "STDAN.pth").state_dict()
    assert len(own) == 842
    assert all(torch.equal(own[key], fixture.state[key]) for key in own)


def test_basicvsr_as_its_authors_save_it(tmp_path: Path) -> None:
    """In torch's old format, under the key of their training framework."""
    fixture = load_fixture("basicvsr")
    path = tmp_path / "BasicVSR.pth"
    torch.save({"params": fixture.state}, path, _use_new_zipfile_serialization=False)
    own = import_checkpoint("basicvsr", path).state_dict()
    assert len(own) == 316
    assert all(torch.equal(own[key], value) for key, value in fixture.state.items())


@pytest.mark.parametrize(("network", "why"), [("spmc", "TensorFlow"), ("fstrn", "ever published")])
def test_networks_whose_authors_left_nothing_to_import(
    network: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=f"{why}.* train weights with `vsr train {network}"):
        import_checkpoint(network, tmp_path / "any.pb")


@pytest.mark.parametrize("network", ["tga", "stdan", "stfan", "basicvsr"])
def test_a_checkpoint_of_another_network(network: str, tmp_path: Path) -> None:
    other = "stfan" if network != "stfan" else "tga"
    path = _plain(load_fixture(other).state, tmp_path)
    with pytest.raises(WeightsError, match="x.pth lacks .* it is of another network"):
        import_checkpoint(network, path)
