#!/usr/bin/env bash
# The pruners that benchmarks/one_point.py compares with, each in a folder of its own under build/rivals, which rivals.py is given as PYTHONPATH:
# they share torch and numpy with the environment that runs it and change nothing there. llmcompressor, for language_model.py, has an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python}
install() { # folder, packages
    folder=build/rivals/$1
    [ -e "$folder/ready" ] && return
    "$python" -m pip install --quiet --no-deps --target "$folder" "${@:2}"
    touch "$folder/ready"
}
install nncf nncf==3.4.0 networkx==3.6.1 ninja openvino-telemetry "pydot<=4.0.1" pyparsing scikit-learn joblib threadpoolctl safetensors tabulate psutil
install torch-pruning torch-pruning==1.6.1
if [ ! -e build/rivals/llmcompressor/ready ]; then
    "$python" -m venv build/rivals/llmcompressor
    build/rivals/llmcompressor/bin/pip install --quiet -c constraints.txt llmcompressor==0.14.0.1 transformers==5.17.0 gguf==0.19.0
    touch build/rivals/llmcompressor/ready
fi
