"""The demo's network: depthwise-separable, 28x28 grey pixels to ten kinds of clothing, about 135,000 weights."""

from pathlib import Path

from torch import Tensor, nn

MODEL = Path(__file__).with_name("model.onnx")


class FashionNet(nn.Module):
    """[n, 1, 28, 28] pixels -> [n, 10] logits. Without batch_norm: for inference, each norm folded into the convolution before it."""

    def __init__(self, batch_norm: bool = True):
        super().__init__()
        self.features = nn.Sequential(
            convolution(1, 32, 3, batch_norm=batch_norm),
            Separable(32, 64, batch_norm, stride=2),
            Separable(64, 128, batch_norm),
            Separable(128, 128, batch_norm),
            Separable(128, 256, batch_norm, stride=2),
            Separable(256, 256, batch_norm),
        )
        self.classify = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x).mean((2, 3)))


class Separable(nn.Module):
    """Depthwise 3x3, then pointwise; the input is added where shapes allow it."""

    def __init__(self, inputs: int, outputs: int, batch_norm: bool, stride: int = 1):
        super().__init__()
        depthwise = convolution(inputs, inputs, 3, stride, groups=inputs, batch_norm=batch_norm)
        self.body = nn.Sequential(depthwise, convolution(inputs, outputs, batch_norm=batch_norm))
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, batch_norm: bool = True) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the border is zero and the size stays, or halves with stride 2."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=not batch_norm)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU()) if batch_norm else nn.Sequential(layer, nn.ReLU())


def trained() -> FashionNet:
    """The network of model.onnx as a torch module; it takes pixels from 0 to 255."""
    import onnx
    import torch

    weights = {tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor)) for tensor in onnx.load(MODEL).graph.initializer}
    model = FashionNet(batch_norm=False).eval()
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model
