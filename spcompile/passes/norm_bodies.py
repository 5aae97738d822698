"""Norms as smaller operators, in ONNX's text form; see `bodies`."""

import onnx_ir as ir


def instance_normalization(node: ir.Node) -> str:
    """Ulyanov et al. 2016: each channel of each image less its mean, over its deviation."""
    rank = len(node.inputs[0].shape)
    return f"""<epsilon: float = 1e-5> (x, scale, bias) => (y) {{
        axes = Constant<value_ints: ints = {list(range(2, rank))}>()
        column = Constant<value_ints: ints = {[-1] + [1] * (rank - 2)}>()
        scales = Reshape(scale, column)
        biases = Reshape(bias, column)
        {_deviation()}
        factor = Div(scales, deviation)
        scaled = Mul(centred, factor)
        y = Add(scaled, biases)
    }}"""


def group_normalization(node: ir.Node) -> str:
    """Wu and He 2018. Scales are one for each group up to opset 20, one for each channel since."""
    shape, groups = list(node.inputs[0].shape.numpy()), node.attributes.get_int("num_groups")
    repeated = [groups, shape[1] // groups if node.inputs[1].shape[0] == groups else 1]
    return f"""<epsilon: float = 1e-5> (given, scale, bias) => (y) {{
        grouped = Constant<value_ints: ints = {[shape[0], groups, -1]}>()
        shape = Constant<value_ints: ints = {shape}>()
        axes = Constant<value_ints: ints = [2]>()
        row = Constant<value_ints: ints = {[-1, 1]}>()
        repeated = Constant<value_ints: ints = {[node.inputs[1].shape[0], repeated[1]]}>()
        column = Constant<value_ints: ints = {[-1] + [1] * (len(shape) - 2)}>()
        x = Reshape(given, grouped)
        {_deviation()}
        normal = Div(centred, deviation)
        image = Reshape(normal, shape)
        scale_rows = Reshape(scale, row)
        scale_each = Expand(scale_rows, repeated)
        scales = Reshape(scale_each, column)
        bias_rows = Reshape(bias, row)
        bias_each = Expand(bias_rows, repeated)
        biases = Reshape(bias_each, column)
        scaled = Mul(image, scales)
        y = Add(scaled, biases)
    }}"""


def _deviation() -> str:
    """x, axes, @epsilon -> centred, deviation"""
    return """mean = ReduceMean(x, axes)
        centred = Sub(x, mean)
        square = Mul(centred, centred)
        variance = ReduceMean(square, axes)
        least = Constant<value_float: float = @epsilon>()
        above = Add(variance, least)
        deviation = Sqrt(above)"""


def local_response_normalization(node: ir.Node) -> str:
    """Krizhevsky et al. 2012, section 3.3; the sum over neighbouring channels is an average pool along them."""
    batch, channels, *image = node.inputs[0].shape.numpy()
    size = node.attributes.get_int("size")
    before = (size - 1) // 2
    return f"""<alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size> (x) => (y) {{
        flat = Constant<value_ints: ints = {[batch, 1, channels, -1]}>()
        shape = Constant<value_ints: ints = {[batch, channels, *image]}>()
        alpha = Constant<value_float: float = @alpha>()
        beta = Constant<value_float: float = @beta>()
        bias = Constant<value_float: float = @bias>()
        square = Mul(x, x)
        plane = Reshape(square, flat)
        mean = AveragePool<kernel_shape = {[size, 1]}, pads = {[before, 0, size - 1 - before, 0]}, count_include_pad = 1>(plane)
        around = Reshape(mean, shape)
        scaled = Mul(around, alpha)
        above = Add(scaled, bias)
        power = Pow(above, beta)
        y = Div(x, power)
    }}"""


def lp_normalization(node: ir.Node) -> str:
    """A vector of zeros stays one."""
    norm = "ReduceL2(x, axes)" if node.attributes.get_int("p", 2) == 2 else "ReduceL1(x, axes)"
    return f"""(x) => (y) {{
        axes = Constant<value_ints: ints = {[node.attributes.get_int("axis", -1)]}>()
        least = Constant<value_float = 1e-30>()
        norm = {norm}
        above = Max(norm, least)
        y = Div(x, above)
    }}"""


def mean_variance_normalization(node: ir.Node) -> str:
    """Of numbers less their mean, squared: ONNX's own body takes the difference of two large numbers."""
    return f"""(x) => (y) {{
        axes = Constant<value_ints: ints = {list(node.attributes.get_ints("axes", (0, 2, 3)))}>()
        least = Constant<value_float = 1e-9>()
        mean = ReduceMean(x, axes)
        centred = Sub(x, mean)
        square = Mul(centred, centred)
        variance = ReduceMean(square, axes)
        deviation = Sqrt(variance)
        above = Add(deviation, least)
        y = Div(centred, above)
    }}"""
