"""The artifact: a folder of plain files that appears whole or not at all.

    manifest.json  model.onnx  library.so  values.npy  indices.npy  kernels.json  report.json  report.html

manifest.json is written last: a folder without one is unfinished. It holds what is needed to load the rest, and a digest of each file.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from spcompile.errors import ArtifactError
from spcompile.lowering.program import Program, Tensor
from spcompile.runtime.executor import Executor
from spcompile.runtime.host import runs_here
from spcompile.runtime.library import load_library
from spcompile.runtime.steps import write_steps
from spcompile.targets import Device
from spcompile.targets.target import Cache, Target

FORMAT = 1
SEAL = "manifest_sha256"
MANIFEST, MODEL, LIBRARY, VALUES, INDICES, KERNELS = "manifest.json", "model.onnx", "library.so", "values.npy", "indices.npy", "kernels.json"


def check_output(folder: str | Path, force: bool) -> Path:
    """A folder that may be written to: absent, empty, or to be replaced with `force`. Asked before anything long starts."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"output '{folder}' is a file; give a folder with -o")
    if folder.is_dir() and any(folder.iterdir()):
        if not force:
            raise ArtifactError(f"output folder '{folder}' is not empty; give another with -o, or --force to replace it")
        if not (folder / MANIFEST).exists():
            raise ArtifactError(f"output folder '{folder}' holds something that is no artifact; --force replaces artifacts only")
    parent = folder.resolve().parent
    if not parent.is_dir():
        raise ArtifactError(f"output folder '{folder}' cannot be made: '{parent}' {'is a file' if parent.exists() else 'does not exist'}")
    if not os.access(parent, os.W_OK):
        raise ArtifactError(f"output folder '{folder}' cannot be made: nothing may be written to '{parent}'")
    if folder.resolve() == Path.cwd():
        raise ArtifactError(f"output folder '{folder}' is the one you are in; give a new one with -o")
    if folder.resolve().is_mount():
        raise ArtifactError(f"output folder '{folder}' is a mount point, which cannot be replaced; give a folder inside it with -o")
    return folder


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary neighbour of `folder` that takes its place when the block ends well, and is gone when it does not."""
    folder = folder.resolve()  # what a link points to is replaced, the link stays
    stage = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        stage.chmod(0o755)
        yield stage
        _replace(folder, stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _replace(folder: Path, stage: Path) -> None:
    """The old folder waits beside the new one until that is in its place, and comes back if it cannot be."""
    aside = stage.with_name(f"{stage.name}.old")
    try:
        if folder.exists():
            folder.replace(aside)
        stage.replace(folder)
    finally:
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
        elif aside.exists():
            aside.replace(folder)


def write_program(stage: Path, program: Program) -> None:
    """Packed weights, offset lists and the list of kernel calls; the library is written by `runtime.build`."""
    np.save(stage / VALUES, program.values)
    np.save(stage / INDICES, program.indices)
    write_steps(stage / KERNELS, program)


def write_manifest(stage: Path, program: Program, target: Target, threads: int, facts: dict) -> None:
    """The last file of a native library's artifact. `facts`: what else is worth keeping: plan, seeds, digests, versions."""
    tensors = {"inputs": [asdict(tensor) for tensor in program.inputs], "outputs": [asdict(tensor) for tensor in program.outputs]}
    seal(stage, target, threads, {"workspace_bytes": 4 * program.workspace_elements, **tensors, **facts})


def seal(stage: Path, target: Device, threads: int, facts: dict) -> None:
    """The manifest over all files that are there: of any family of targets."""
    files = {path.name: {"bytes": path.stat().st_size, "sha256": digest(path)} for path in sorted(stage.iterdir())}
    device = {name: value for name, value in asdict(target).items() if name != "sources"}
    whole = {"format": FORMAT, "target": device, "threads": threads, **facts, "files": files}
    (stage / MANIFEST).write_text(json.dumps({**whole, SEAL: _seal(whole)}, indent=1) + "\n")


def _seal(manifest: dict) -> str:
    """Digest of everything else in a manifest."""
    return hashlib.sha256(json.dumps({key: value for key, value in manifest.items() if key != SEAL}, sort_keys=True).encode()).hexdigest()


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def read_manifest(folder: str | Path) -> dict:
    """Check that an artifact is whole and unchanged -> its manifest."""
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"'{folder}' is no artifact: it has no {MANIFEST}; give the folder that compiling wrote")
    try:
        manifest = json.loads(path.read_text())
        version = manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); compile again") from error
    if version != FORMAT:
        raise ArtifactError(f"'{folder}' has artifact format {version}, this version reads {FORMAT}; compile again")
    if manifest.get(SEAL) != _seal(manifest):
        raise ArtifactError(f"{path} was changed since compiling; compile again")
    for name, facts in manifest["files"].items():
        if not (folder / name).is_file() or digest(folder / name) != facts["sha256"]:
            raise ArtifactError(f"'{folder / name}' is missing or was changed since compiling; compile again")
    return manifest


def target_of(manifest: dict) -> Target:
    """The device as it was described when the artifact was made; ArtifactError for manifests that only name it."""
    form = manifest["target"]
    if form.get("family") != "cpu":
        raise ArtifactError(f"the artifact was compiled for {form['name']}, of the family {form.get('family')!r}; only those for CPUs have kernels to look at")
    if not {field.name for field in fields(Target)} - {"sources"} <= form.keys():
        raise ArtifactError("the artifact does not hold its target's numbers, an older spcompile wrote it; compile again")
    return Target(**(form | {"features": tuple(form["features"]), "caches": tuple(Cache(**cache) for cache in form["caches"])}))


def load(folder: str | Path) -> Executor:
    """An artifact made for this machine, ready to run."""
    import tvm

    folder, manifest = Path(folder), read_manifest(folder)
    target = manifest["target"]
    if target["family"] != "cpu":
        runs = "spcompile.runtime.gpu_executor.GpuExecutor runs it on such a card" if target["family"] == "gpu" else "a simulator alone runs it"
        raise ArtifactError(f"'{folder}' was compiled for {target['name']}, only those for CPUs are loaded: {runs}; model.onnx in it runs anywhere")
    if not (verdict := runs_here(target["triple"], target["lanes_fp32"])):
        raise ArtifactError(f"'{folder}' was compiled for {target['name']} and cannot run here: {verdict.reason}; model.onnx in it runs anywhere")
    inputs, outputs = ([Tensor(t["name"], tuple(t["shape"]), t["dtype"]) for t in manifest[key]] for key in ("inputs", "outputs"))
    module = load_library(folder / LIBRARY)
    values, indices = np.load(folder / VALUES), np.load(folder / INDICES)
    return Executor(module, tvm.cpu(), tuple(inputs), tuple(outputs), manifest["workspace_bytes"] // 4, values, indices, manifest["threads"])
