"""One engine in a process of its own: loads a model, then for each line "N" on standard input calls it N times and prints the seconds.

    python engine_worker.py onnxruntime|openvino|deepsparse MODEL.onnx INPUTS.npz THREADS wall|cpu

Run by engines.py with the interpreter of the engine's own environment (setup_engines.sh), so it imports nothing but numpy and that engine.
"""

import sys
import time

import numpy as np


def onnxruntime(path: str, feed: dict[str, np.ndarray], threads: int):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def openvino(path: str, feed: dict[str, np.ndarray], threads: int):
    import openvino as ov

    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(path, "CPU", options).create_infer_request()
    for name, array in feed.items():
        request.set_tensor(name, ov.Tensor(array, shared_memory=True))
    return request.infer


def deepsparse(path: str, feed: dict[str, np.ndarray], threads: int):
    from deepsparse import compile_model

    engine = compile_model(path, batch_size=next(iter(feed.values())).shape[0], num_cores=threads)
    if engine.fraction_of_supported_ops < 0.9:
        sys.exit(f"deepsparse supports only {engine.fraction_of_supported_ops:.0%} of this model")
    inputs = list(feed.values())
    return lambda: engine.run(inputs, val_inp=False)


ENGINES = {function.__name__: function for function in (onnxruntime, openvino, deepsparse)}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def main(engine: str, path: str, inputs: str, threads: str, clock: str) -> None:
    with np.load(inputs) as arrays:
        feed = {name: np.ascontiguousarray(arrays[name]) for name in arrays}
    call = ENGINES[engine](path, feed, int(threads))
    call()
    print("ready", flush=True)
    now = CLOCKS[clock]
    for line in sys.stdin:
        begin = now()
        for _ in range(int(line)):
            call()
        print(now() - begin, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
