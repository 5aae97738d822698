"""Networks of published accelerator measurements as lists of what they compute: shapes from their papers, no weights."""

from dataclasses import dataclass, field

from spcompile.costs.fpga.model import array_cost, depthwise_cost, vector_cost
from spcompile.costs.fpga.work import Work, row_tiles
from spcompile.targets import Accelerator


@dataclass
class Network:
    """Grows layer by layer; `shape` is (channels, height, width) of what the last one left."""

    shape: tuple[int, int, int]
    layers: list[tuple] = field(default_factory=list)

    def conv(self, rows: int, kernel=1, stride: int = 1, groups: int = 1, source=None) -> "Network":
        """Padded so that a stride of 1 keeps the size; kernel: a number or (height, width)."""
        channels, height, width = source or self.shape
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        size = -(-height // stride), -(-width // stride)
        self.layers.append(("conv", channels, rows, kernel, stride, groups, (height, width), size))
        self.shape = (rows, *size)
        return self

    def pool(self, stride: int = 2, kernel: int = 3) -> "Network":
        channels, height, width = self.shape
        size = -(-height // stride), -(-width // stride)
        self.layers.append(("vector", channels * size[0] * size[1], channels * height * width, kernel**2))
        self.shape = (channels, *size)
        return self

    def add(self) -> "Network":
        elements = self.shape[0] * self.shape[1] * self.shape[2]
        self.layers.append(("vector", elements, 2 * elements, 1))
        return self

    def joined(self, *branches) -> "Network":
        """Each branch is a function that starts from here; their channels are put side by side."""
        start, channels = self.shape, 0
        for branch in branches:
            self.shape = start
            branch(self)
            channels += self.shape[0]
        self.shape = (channels, *self.shape[1:])
        return self

    def seconds(self, target: Accelerator) -> float:
        return sum(_cycles(layer, target) for layer in self.layers) / target.clock_hz

    @property
    def macs(self) -> int:
        convs = (layer for layer in self.layers if layer[0] == "conv")
        return sum(rows * channels // groups * kernel[0] * kernel[1] * out[0] * out[1] for _, channels, rows, kernel, _, groups, _, out in convs)


def _cycles(layer: tuple, target: Accelerator) -> float:
    if layer[0] == "vector":
        return vector_cost(layer[1], layer[2], layer[3], target).cycles
    _, channels, rows, kernel, stride, groups, in_size, out_size = layer
    shape = {"kernel": kernel, "strides": (stride, stride)}
    taps = kernel[0] * kernel[1]
    if groups == channels == rows and groups > 1:
        return depthwise_cost(Work(1, taps, 1, (1,), in_size, out_size, 1, groups=groups, **shape), target).cycles
    slots = (1,) * row_tiles(rows // groups, target)
    return array_cost(Work(rows // groups, channels // groups * taps, 1, slots, in_size, out_size, channels // groups, groups=groups, **shape), target).cycles


def resnet(depth: int, size=(224, 224), stride_in_3x3: bool = False) -> Network:
    """He et al. 2015; bottlenecks from 50 on."""
    net = Network((3, *size)).conv(64, 7, 2).pool()
    blocks = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[depth]
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            stride, start = 2 if block == 0 and stage else 1, net.shape
            if depth >= 50:
                net.conv(width, 1, 1 if stride_in_3x3 else stride).conv(width, 3, stride if stride_in_3x3 else 1).conv(4 * width)
            else:
                net.conv(width, 3, stride).conv(width, 3)
            if block == 0 and start[0] != net.shape[0]:
                net.conv(net.shape[0], 1, stride, source=start)
            net.add()
    return net.pool(net.shape[1], net.shape[1]).conv(1000)


def vgg(depth: int, size=(224, 224)) -> Network:
    """Simonyan and Zisserman 2014."""
    net = Network((3, *size))
    for width, count in zip((64, 128, 256, 512, 512), {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth], strict=True):
        for _ in range(count):
            net.conv(width, 3)
        net.pool(2, 2)
    net.shape = (512 * 49, 1, 1)
    return net.conv(4096).conv(4096).conv(1000)


def mobilenet_v1(width: float = 1.0, size: int = 224) -> Network:
    """Howard et al. 2017."""
    net = Network((3, size, size)).conv(int(32 * width), 3, 2)
    for rows, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1)):
        net.conv(net.shape[0], 3, stride, net.shape[0]).conv(int(rows * width))
    return net.pool(net.shape[1], net.shape[1]).conv(1000)


def mobilenet_v2(width: float = 1.0, size: int = 224) -> Network:
    """Sandler et al. 2018."""
    net = Network((3, size, size)).conv(int(32 * width), 3, 2)
    for expand, rows, count, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(count):
            inner, stride = net.shape[0] * expand, first if block == 0 else 1
            if expand > 1:
                net.conv(inner)
            net.conv(inner, 3, stride, inner).conv(int(rows * width))
            if block:
                net.add()
    return net.conv(max(1280, int(1280 * width))).pool(net.shape[1], net.shape[1]).conv(1000)


def squeezenet(size: int = 227) -> Network:
    """Iandola et al. 2016, version 1.0."""
    net = Network((3, size, size)).conv(96, 7, 2).pool()
    for squeeze, expand, pools in ((16, 64, 0), (16, 64, 0), (32, 128, 1), (32, 128, 0), (48, 192, 0), (48, 192, 0), (64, 256, 1), (64, 256, 0)):
        net.conv(squeeze).joined(lambda net, rows=expand: net.conv(rows), lambda net, rows=expand: net.conv(rows, 3))
        if pools:
            net.pool()
    return net.conv(1000)


def inception_v1(size: int = 224) -> Network:
    """Szegedy et al. 2014, table 1."""
    net = Network((3, size, size)).conv(64, 7, 2).pool().conv(64).conv(192, 3).pool()
    modules = (
        (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None,
        (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), None,
        (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
    )  # fmt: skip
    for module in modules:
        if module is None:
            net.pool()
            continue
        one, three_in, three, five_in, five, pooled = module
        net.joined(
            lambda net, rows=one: net.conv(rows),
            lambda net, first=three_in, rows=three: net.conv(first).conv(rows, 3),
            lambda net, first=five_in, rows=five: net.conv(first).conv(rows, 5),
            lambda net, rows=pooled: net.pool(1).conv(rows),
        )
    return net.pool(7, 7).conv(1000)


def inception_v3(size: int = 299) -> Network:
    """Szegedy et al. 2015, "Rethinking the Inception Architecture"; sizes as padded here differ by a pixel."""
    net = Network((3, size, size)).conv(32, 3, 2).conv(32, 3).conv(64, 3).pool().conv(80).conv(192, 3).pool()
    for pooled in (32, 64, 64):
        net.joined(
            lambda net: net.conv(64),
            lambda net: net.conv(48).conv(64, 5),
            lambda net: net.conv(64).conv(96, 3).conv(96, 3),
            lambda net, rows=pooled: net.pool(1).conv(rows),
        )
    net.joined(lambda net: net.conv(384, 3, 2), lambda net: net.conv(64).conv(96, 3).conv(96, 3, 2), lambda net: net.pool())
    for inner in (128, 160, 160, 192):
        net.joined(
            lambda net: net.conv(192),
            lambda net, c=inner: net.conv(c).conv(c, (1, 7)).conv(192, (7, 1)),
            lambda net, c=inner: net.conv(c).conv(c, (7, 1)).conv(c, (1, 7)).conv(c, (7, 1)).conv(192, (1, 7)),
            lambda net: net.pool(1).conv(192),
        )
    net.joined(lambda net: net.conv(192).conv(320, 3, 2), lambda net: net.conv(192).conv(192, (1, 7)).conv(192, (7, 1)).conv(192, 3, 2), lambda net: net.pool())
    for _ in range(2):
        net.joined(
            lambda net: net.conv(320),
            lambda net: net.conv(384).joined(lambda net: net.conv(384, (1, 3)), lambda net: net.conv(384, (3, 1))),
            lambda net: net.conv(448).conv(384, 3).joined(lambda net: net.conv(384, (1, 3)), lambda net: net.conv(384, (3, 1))),
            lambda net: net.pool(1).conv(192),
        )
    return net.pool(net.shape[1], net.shape[1]).conv(1000)


def yolo_v2(size=(448, 448)) -> Network:
    """Redmon and Farhadi 2016; without the passthrough."""
    net = Network((3, *size))
    for rows in ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512)):
        for at, width in enumerate(rows):
            net.conv(width, 1 if at % 2 else 3)
        net.pool(2, 2)
    for at, width in enumerate((1024, 512, 1024, 512, 1024)):
        net.conv(width, 1 if at % 2 else 3)
    return net.conv(1024, 3).conv(1024, 3).conv(1024, 3).conv(125)


def yolo_v3(size=(416, 416), classes: int = 20) -> Network:
    """Redmon and Farhadi 2018."""
    net, outputs, kept = Network((3, *size)).conv(32, 3), 3 * (classes + 5), []
    for width, count in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        net.conv(width, 3, 2)
        for _ in range(count):
            net.conv(width // 2).conv(width, 3).add()
        kept.append(net.shape)
    for at, width in enumerate((512, 256, 128)):
        if at:
            net.conv(width)
            net.shape = (width + kept[4 - at][0], *kept[4 - at][1:])
        for _ in range(2):
            net.conv(width).conv(2 * width, 3)
        net.conv(width)
        start = net.shape
        net.conv(2 * width, 3).conv(outputs)
        net.shape = start
    return net


def yolo_v3_tiny(size=(416, 416)) -> Network:
    """Of the same release; 80 classes."""
    net = Network((3, *size))
    for width in (16, 32, 64, 128, 256):
        net.conv(width, 3).pool(2, 2)
    net.conv(512, 3).conv(1024, 3).conv(256).conv(512, 3).conv(255)
    net.shape = (256, size[0] // 32, size[1] // 32)
    net.conv(128)
    net.shape = (384, size[0] // 16, size[1] // 16)
    return net.conv(256, 3).conv(255)
