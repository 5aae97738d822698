"""Fills what surrounds an image: the columns after each row, the rows after each channel, and what lies before the first.

Neighbouring rows share their left and right border, neighbouring channels their upper and lower one: channels are
`channel_stride` apart, rows `pitch`, and everything that is not one of `height` x `width` is border.
"""

from dataclasses import dataclass

from spcompile.kernels.cpu.reach import BYTES, LINE
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.work import Stream, Work


@dataclass(frozen=True)
class Border(Kernel):
    """Pointer: y at the first element that belongs to the border in front. `written`: elements of a channel that need no filling
    from its start on when `columns` is False (a kernel has masked them already)."""

    channels: int
    channel_stride: int
    front: int
    height: int
    width: int
    pitch: int
    written: int
    columns: bool
    fill: float = 0.0

    @property
    def code(self) -> tuple:
        return (self.channels, self.channel_stride, self.front, self.height, self.width, self.pitch, self.written, self.columns, self.fill)

    @property
    def title(self) -> str:
        return f"f32_border_c{self.channels}_{self.height}x{self.width}"

    def work(self) -> Work:
        after = max(0, self.channel_stride - self.written)
        columns = self.height * (self.pitch - self.width) if self.columns else 0
        rows = self.height if columns else 0
        lines = min(self.channel_stride / LINE, rows + -(-after // LINE))  # each border column lies in a line of its own, until all lines are touched
        return Work(
            lanes=1,
            stores=self.channels * (-(-after // 4) + columns) + self.front / 4,
            scalar=self.channels * (self.height * 2 if self.columns else 2),
            streams=(Stream((self.front + self.channels * lines * LINE) * BYTES, self.channels * self.channel_stride * BYTES),),
            units=1,  # never split among threads
        )

    def emit(self, threads: int):
        from tvm.tirx.script.builder import ir as T

        from spcompile.kernels.script import kernel_function

        fill = T.float32(self.fill)

        def body(y):
            with T.serial(0, self.front) as i:
                T.buffer_store(y, fill, [i])
            with T.serial(0, self.channels) as c:
                origin = self.front + c * self.channel_stride
                if self.columns and self.pitch > self.width:
                    with T.serial(0, self.height) as h, T.serial(0, self.pitch - self.width) as i:
                        T.buffer_store(y, fill, [origin + h * self.pitch + self.width + i])
                if self.channel_stride > self.written:
                    with T.serial(0, self.channel_stride - self.written) as i:
                        T.buffer_store(y, fill, [origin + self.written + i])

        return kernel_function(self.name, {"y": "float32"}, body)
