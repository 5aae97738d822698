"""What ncnn's kernels do on one layer, counted like ours, so that its published times can be predicted.

From its sources at the days its boards were measured (Tencent/ncnn b5b8e727f of 2020-06, 224040e65 of 2021-08, 6125c9f47 of 2022-04, d9e45ec70
of 2023-06; src/layer/arm/convolution*): 3x3 layers of stride 1 by Winograd's algorithm (Lavin and Gray 2015), inputs of 1x1 kernels copied into
tiles, those of wider ones into a border. Products themselves are counted as our dense kernel's.
"""

from functools import cache

from one_layer import Shape

from spcompile.kernels.work import Stream, Work
from spcompile.targets.target import Target

KINDS = ("3x3 stride 1", "other convolutions", "depthwise", "grouped", "fully connected", "moves")
WIDE = ("depthwise", "moves")  # kinds that int8 networks compute in fp32: int8 there is of products, whose results are fp32 again
BYTES = 4
WIDTH = {"fp32": 1.0, "fp16": 0.5, "int16": 0.5, "int8": 0.25}  # of a number, beside fp32
PACKED = 4  # channels side by side: what threads share out
INSTRUCTIONS = {6: (7.0, 4.8), 4: (4.5, 3.3)}  # side of Winograd's tile -> additions and multiplications per vector of transformed (x, y)
OP_PER_CYCLE_INT16 = 8  # SMLAL on 4 numbers of 16 bits, one a cycle on every core here: recalled, Arm's optimization guides of A55, A72, A78
DOT_PRODUCTS = "2021-04"  # before, only 1x1 layers multiplied eight numbers at once (SMULL, SADALP), others four (SMLAL)

Numbers = tuple[int, ...]  # of a convolution as in Shape; of a move: read, written


def kind_of(kind: str, numbers: Numbers) -> str:
    in_channels, _, _, kernel, stride, groups = numbers
    if kind != "conv":
        return {"dense": "fully connected", "move": "moves"}[kind]
    if groups > 1:
        return "depthwise" if groups == in_channels else "grouped"
    return "3x3 stride 1" if (kernel, stride) == (3, 1) and in_channels >= 16 else "other convolutions"


@cache
def steps(kind: str, numbers: Numbers, target: Target, dtype: str, date: str) -> tuple[Work, ...]:
    """Of one layer; dtype: fp32, fp16 or int8 of the network; date: of the measurement, as ISO."""
    name = kind_of(kind, numbers)
    used = "fp32" if dtype == "int8" and name in WIDE else dtype
    if name == "moves":
        return (_in_type(_move(*numbers[:2]), used),)
    shape = Shape(*numbers)
    copies = tuple(_in_type(copy, used) for copy in _copies(shape))
    if name == "3x3 stride 1":
        return *copies, *_winograd(shape, _tile(shape, dtype, date), target, "int16" if dtype == "int8" else dtype)
    dots = target.int8_op_per_cycle if numbers[3:5] == (1, 1) or date >= DOT_PRODUCTS else OP_PER_CYCLE_INT16
    return *copies, _in_type(_multiplied(_product(shape, target), target, used, dots), used)


def _in_type(work: Work, dtype: str) -> Work:
    """The same work on narrower numbers: as many more of them in each register and line."""
    width, fields = WIDTH[dtype], ("arithmetic", "loads", "broadcasts", "stores", "scalar", "crossing", "steps")
    streams = tuple(s._replace(bytes_moved=s.bytes_moved * width, footprint_bytes=s.footprint_bytes * width) for s in work.streams)
    return work._replace(streams=streams, **{name: getattr(work, name) * width for name in fields})


def _multiplied(work: Work, target: Target, dtype: str, int8_op_per_cycle: float) -> Work:
    """Its multiply-adds at the rate for numbers of that type."""
    fp32 = target.peak_flops / target.clock_hz
    rates = {"fp32": fp32, "fp16": target.fp16_flop_per_cycle, "int16": OP_PER_CYCLE_INT16, "int8": int8_op_per_cycle}
    return work._replace(fma=work.fma * fp32 / rates[dtype])


@cache
def _product(shape: Shape, target: Target) -> Work:
    return shape.dense_work(target, target.cores)


def _move(read: float, written: float, arithmetic: float = 1.0) -> Work:
    """Numbers from one place to another; arithmetic: instructions per vector written."""
    streams = Stream(BYTES * read, BYTES * (read + written)), Stream(BYTES * written, BYTES * (read + written))
    return Work(lanes=4, loads=read / 4, arithmetic=arithmetic * written / 4, stores=written / 4, streams=streams, units=64)


def _copies(shape: Shape) -> list[Work]:
    """Of a layer's input before the product."""
    x = shape.in_channels * shape.size**2
    if shape.kernel > 1:
        return [_move(x, shape.in_channels * (shape.size + 2 * (shape.kernel // 2)) ** 2, 0)]
    tiles = x // shape.stride**2
    return [_move(tiles, tiles, 0)] if shape.size > 1 and shape.groups == 1 else []


def _tile(shape: Shape, dtype: str, date: str) -> int:
    """Side of the outputs that ncnn of that day makes at once."""
    if dtype == "int8":
        return 4
    if date < "2021":
        return 6
    if date < "2023":
        return 4 if (width := shape.size + 2) <= 10 or 15 <= width <= 18 or width in (21, 22) else 6
    return 6 if max(shape.in_channels, shape.out_channels) <= 128 else 4


def _winograd(shape: Shape, tile: int, target: Target, dtype: str) -> tuple[Work, ...]:
    """x into the transformed domain, as many products there as a tile has numbers, y back. Transformed int8 is 16 bits wide, its sums 32."""
    points, tiles = (tile + 2) ** 2, -(-shape.size // tile)
    x, y = (points * tiles**2 * channels for channels in (shape.in_channels, shape.out_channels))
    weights = (points - 1) * shape.in_channels * shape.out_channels * BYTES  # beside those of one product
    product = _product(Shape(shape.in_channels, shape.out_channels, (tile + 2) * tiles, 1), target)
    product = _multiplied(product, target, dtype, OP_PER_CYCLE_INT16)._replace(streams=(*product.streams, Stream(weights, weights)))
    there, back = INSTRUCTIONS[tile]
    transform_x = _transform(shape.in_channels, shape.size, x, there, written=x)
    transform_y = _transform(shape.out_channels, shape.size, y, back, written=shape.out_channels * shape.size**2)
    return tuple(_in_type(work, dtype) for work in (transform_x, product, transform_y))


def _transform(channels: int, size: int, transformed: int, instructions: float, written: int) -> Work:
    vectors, image = transformed / 4, BYTES * channels * size**2
    streams = Stream(image, image), Stream(BYTES * transformed, BYTES * transformed)
    return Work(lanes=4, loads=vectors, arithmetic=instructions * vectors, stores=written / 4, streams=streams, units=max(1, channels // PACKED))
