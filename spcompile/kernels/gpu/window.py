"""Where a product's inputs lie: the pixels under a convolution's window, channels innermost; a linear layer is a window of one pixel."""

from dataclasses import dataclass

CHUNK = 8  # 16-bit numbers that are copied at once: 16 bytes


@dataclass(frozen=True)
class Window:
    """Of one group. Strides in elements; channels lie next to each other, every stride but theirs is a multiple of 8."""

    in_size: tuple[int, int]
    out_size: tuple[int, int]
    channels: int
    image_stride: int
    row_stride: int
    pixel_stride: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: tuple[int, int] = (0, 0)  # top, left

    @classmethod
    def linear(cls, positions: int, channels: int, stride: int) -> "Window":
        """Positions `stride` elements apart."""
        return cls((1, positions), (1, positions), channels, 0, 0, stride)

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def padded_channels(self) -> int:
        """Of one tap among the product's columns: whole chunks."""
        return -(-self.channels // CHUNK) * CHUNK

    @property
    def columns(self) -> int:
        return self.taps * self.padded_channels

    def locate(self, position, column):
        """(position, column) -> (image, y, x, channel) of the input; y and x may lie outside it. Numbers, arrays or TIR expressions."""
        image, pixel = position // (self.out_size[0] * self.out_size[1]), position % (self.out_size[0] * self.out_size[1])
        tap, channel = column // self.padded_channels, column % self.padded_channels
        y = pixel // self.out_size[1] * self.strides[0] + tap // self.kernel[1] * self.dilations[0] - self.pads[0]
        x = pixel % self.out_size[1] * self.strides[1] + tap % self.kernel[1] * self.dilations[1] - self.pads[1]
        return image, y, x, channel

    def element(self, image, y, x, channel):
        """Where that lies."""
        return image * self.image_stride + y * self.row_stride + x * self.pixel_stride + channel
