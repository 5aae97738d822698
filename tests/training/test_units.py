"""What steps are measured in."""

import numpy as np
import torch

from spcompile.ir.layers import find_layers
from spcompile.pruning.network import Network
from spcompile.training.batch_norms import scale_of
from spcompile.training.units import weight_units
from tests.pruning.samples import network


def test_units_follow_the_size_of_each_row_and_are_powers_of_two():
    model = network()
    constants = dict(Network(model).constants)
    constants["w0"] = constants["w0"] * torch.logspace(-1, 1, 8).reshape(-1, 1, 1, 1)
    units = weight_units(find_layers(model), constants)
    assert units.keys() == {name for layer in find_layers(model) for name in (layer.weight, layer.bias) if name}
    sizes = constants["w0"].square().mean((1, 2, 3)).sqrt()
    assert ((units["w0"][:, 0, 0, 0] / sizes).log2().abs() <= 0.51).all()
    for name, unit in units.items():
        assert unit.shape == constants[name].shape and np.all(np.frexp(unit.numpy())[0] == 0.5), name
        assert torch.equal(constants[name] / unit * unit, constants[name])


def test_a_norm_is_measured_by_its_scale():
    (layer, *_), constants = find_layers(network()), dict(Network(network()).constants)
    constants[scale_of(layer)] = torch.logspace(-1, 1, layer.rows)
    units = weight_units(find_layers(network()), constants)
    assert torch.equal(units[scale_of(layer)], units[layer.bias])
    assert ((units[scale_of(layer)] / constants[scale_of(layer)]).log2().abs() <= 0.51).all()


def test_a_row_of_zeros_has_a_unit():
    constants = dict(Network(network()).constants)
    constants["w0"] = torch.zeros_like(constants["w0"])
    constants["w2"] = constants["w2"] * (torch.arange(8) > 0).reshape(-1, 1, 1, 1)
    units = weight_units(find_layers(network()), constants)
    assert all(torch.isfinite(unit).all() and (unit > 0).all() for unit in units.values())
