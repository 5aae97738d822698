"""Workspace: buffers alive at once never overlap, and little is wasted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.ir.frontend import load
from spcompile.kernels.cpu.border import Border
from spcompile.lowering.lower import lower
from spcompile.lowering.memory import OVERREAD, lifetimes, place
from spcompile.lowering.program import ALIGNMENT, Argument, Buffer, Step
from spcompile.passes import prepare
from spcompile.targets import load_target

KERNEL = Border(1, 1, 0, 1, 1, 1, 1, False)


@st.composite
def programs(draw):
    buffers = [Buffer(draw(st.sampled_from(["workspace", "workspace", "workspace", "values", "input"])), draw(st.integers(1, 200))) for _ in range(12)]
    uses = draw(st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=4), min_size=1, max_size=12))
    return buffers, [Step(KERNEL, tuple(Argument(buffer) for buffer in step), "") for step in uses]


def most_alive(buffers, steps):
    """Elements at one step: what a workspace cannot do without."""
    spans = lifetimes(buffers, steps)
    return max((sum(buffers[b].elements for b, (first, last) in spans.items() if first <= step <= last) for step in range(len(steps))), default=0)


@given(programs())
def test_no_two_live_buffers_overlap(program):
    buffers, steps = program
    spans = lifetimes(buffers, steps)
    starts, total = place(buffers, steps)
    assert starts.keys() == spans.keys() == {a.buffer for step in steps for a in step.arguments if buffers[a.buffer].kind == "workspace"}
    for a in starts:
        assert starts[a] % ALIGNMENT == 0 and starts[a] + buffers[a].elements + OVERREAD <= total
        for b in starts:
            if a < b and spans[a][0] <= spans[b][1] and spans[b][0] <= spans[a][1]:
                assert starts[a] + buffers[a].elements <= starts[b] or starts[b] + buffers[b].elements <= starts[a]
    assert total >= (most_alive(buffers, steps) + OVERREAD if spans else 0)


def test_buffers_that_follow_each_other_share():
    buffers = [Buffer("workspace", 100), Buffer("workspace", 50), Buffer("workspace", 100)]
    steps = [Step(KERNEL, (Argument(a), Argument(b)), "") for a, b in ((0, 1), (1, 2))]
    starts, total = place(buffers, steps)
    assert starts[0] == starts[2] and total < 200 + OVERREAD


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["cifar10/resnet20", "imagenet/mobilenet_v2_1.0_224", "imagenet/squeezenet10_sparse", "kws/dscnn"])
def test_little_is_wasted_on_real_networks(shared, name):
    model = prepare(load(shared / "assets" / f"{name}.onnx"))
    program = lower(model, load_target("x86-avx2")).program
    assert program.workspace_elements <= 1.3 * most_alive(program.buffers, program.steps)
    for step in program.steps:
        for argument in step.arguments:
            assert 0 <= argument.offset < max(1, program.buffers[argument.buffer].elements), step.node
    assert np.isfinite(program.values).all()
