"""Artifacts of a project's models, kept until something that they are made of changes: model, data, settings, device, or this compiler."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import spcompile
from spcompile.check.model import Model
from spcompile.check.snapshot import folder_of
from spcompile.digest import files_digest
from spcompile.errors import ArtifactError
from spcompile.runtime import host
from spcompile.runtime.artifact import read_manifest
from spcompile.targets import load_target

FOLDER = ".spcompile"  # beside the file that lists the models


def built(model: Model, cache: Path) -> Path:
    """The folder of the model's artifact: its own, or one in the cache, compiled where there is none that is still right.

    ArtifactError: its own is broken.
    """
    if model.artifact is not None:
        read_manifest(folder_of(model.artifact))
        return folder_of(model.artifact)
    folder, mark, key = cache / f"{model.name}.spc", cache / f"{model.name}.key", _key(model)
    if mark.is_file() and mark.read_text() == key and _whole(folder):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n")
    mark.unlink(missing_ok=True)
    for left in (folder, *cache.glob(f".{folder.name}.*")):  # what a compilation that was ended by force began
        shutil.rmtree(left, ignore_errors=True)
    _compile(model, folder)
    mark.write_text(key)
    return folder


def _compile(model: Model, folder: Path) -> None:
    from spcompile.compiler import compile as compile_model

    compile_model(
        model.path, target=model.target, budget=model.budget, max_drop=model.max_drop, calibration=model.calib, evaluate=model.eval,
        patterns=model.patterns, threads=model.threads, input_shapes=model.input_shapes, output=folder,
    )  # fmt: skip


def _whole(folder: Path) -> bool:
    try:
        read_manifest(folder)
    except ArtifactError:
        return False
    return True


def _key(model: Model) -> str:
    """Digest of all that the artifact depends on."""
    asked = [model.target, model.budget, model.max_drop, model.threads, model.patterns, sorted((model.input_shapes or {}).items())]
    here = [host.cpu_model(), host.flags_digest()] if model.target == "host" else []
    code = files_digest(path for path in Path(spcompile.__file__).parent.rglob("*") if path.parent.name != "__pycache__")
    data = [files_digest(path.rglob("*") if path.is_dir() else [path]) if path is not None else None for path in (model.calib, model.eval)]
    form = [asked, here, asdict(load_target(model.target)), code, data, _weights(model), host.packages()]
    return hashlib.sha256(json.dumps(form).encode()).hexdigest()


def _weights(model: Model) -> str:
    """Of the model's file, and of weights that lie in others."""
    from spcompile.ir.frontend import load

    found = hashlib.sha256(model.path.read_bytes())
    for value in load(model.path, model.input_shapes).graph.initializers.values():
        found.update(value.const_value.tobytes())
    return found.hexdigest()
