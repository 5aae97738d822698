#!/usr/bin/env bash
# The engines that benchmarks/engines.py compares with, each in an environment of its own under build/engines.
# DeepSparse's licence allows evaluation only: it is a yardstick and never a dependency.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3.11} # DeepSparse 1.8 has no wheel for newer ones
for engine in openvino==2026.4.1 onnxruntime==1.32.0 deepsparse==1.8.0; do
    folder=build/engines/${engine%%==*}
    [ -e "$folder/ready" ] && continue
    "$python" -m venv "$folder"
    "$folder/bin/pip" install --quiet "$engine" "numpy<2" "setuptools<81"
    touch "$folder/ready"
done
