"""A program and where its layers run; and the same for one input after the other."""

from dataclasses import dataclass, replace

import onnx_ir as ir

from spcompile.lowering.program import Argument, Buffer, Program, Step, Tensor
from spcompile.lowering.site import Site

TIE = 1.05  # inputs apart may be predicted so much slower: the model does not see all that nearer caches save


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program, and for each layer the search may choose for, where it runs. model: what its steps compute, of one input where inputs run in turns."""

    program: Program
    sites: dict[str, Site]
    model: ir.Model


def repeated(single: Lowered, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Lowered:
    """The program of one input -> the same steps for each input of a batch, in the same workspace. inputs, outputs: of the batch."""
    program, count = single.program, inputs[0].shape[0]
    buffers = tuple(replace(buffer, elements=count * buffer.elements) if _outside(buffer) else buffer for buffer in program.buffers)
    steps = tuple(replace(step, arguments=_moved(step, program.buffers, number)) for number in range(count) for step in program.steps)
    sites = {name: replace(site, calls=count * site.calls) for name, site in single.sites.items()}
    return Lowered(replace(program, steps=steps, buffers=buffers, inputs=inputs, outputs=outputs), sites, single.model)


def _outside(buffer: Buffer) -> bool:
    return buffer.kind in ("input", "output")


def _moved(step: Step, buffers: tuple[Buffer, ...], number: int) -> tuple[Argument, ...]:
    """Pointers into the caller's tensors, for input `number`."""
    return tuple(
        replace(argument, offset=argument.offset + number * buffers[argument.buffer].elements) if _outside(buffers[argument.buffer]) else argument
        for argument in step.arguments
    )
