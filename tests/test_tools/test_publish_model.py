import pytest
import torch
from model_converters.publish_model import publish
from torch import nn

from dyconv_pose import DyConv2d


def saved(path, network):
    torch.save({'state_dict': network.state_dict(), 'meta': {}}, path)
    return path


def average_of(folder, *networks):
    first, *others = [saved(folder / f'{index}.pth', network) for index, network in enumerate(networks)]
    return torch.load(publish(first, folder / 'mean.pth', average=others), weights_only=True)['state_dict']


def networks():
    return nn.Sequential(DyConv2d(3, 8, 3)), nn.Sequential(nn.Conv2d(3, 8, 3))


def test_weights_of_one_network_are_averaged(tmp_path):
    first, second = (nn.Conv2d(3, 8, 1) for _ in range(2))
    mean = average_of(tmp_path, first, second)
    torch.testing.assert_close(mean['weight'], (first.weight + second.weight).detach() / 2)


def test_a_static_twin_counts_in_each_kernel(tmp_path):
    dynamic, static = networks()
    mean = average_of(tmp_path, dynamic, static)
    torch.testing.assert_close(mean['0.weight'], (dynamic[0].weight + static[0].weight).detach() / 2)
    torch.testing.assert_close(mean['0.bias'], (dynamic[0].bias + static[0].bias).detach() / 2)
    attention = {name: value for name, value in dynamic.state_dict().items() if '.attention.' in name}
    assert attention
    for name, value in attention.items():
        torch.testing.assert_close(mean[name], value)
    dynamic.load_state_dict(mean)


def test_a_dynamic_twin_counts_by_its_mean_kernel(tmp_path):
    dynamic, static = networks()
    mean = average_of(tmp_path, static, dynamic)
    torch.testing.assert_close(mean['0.weight'], (dynamic[0].weight.mean(0) + static[0].weight).detach() / 2)
    static.load_state_dict(mean)


@pytest.mark.parametrize('other', [nn.Sequential(nn.Conv2d(3, 4, 3)), nn.Sequential(nn.Conv2d(3, 8, 3), nn.PReLU())])
@pytest.mark.parametrize('first', networks(), ids=['dynamic', 'static'])
def test_another_network_is_refused(tmp_path, first, other):
    with pytest.raises(ValueError, match='other weights or shapes'):
        average_of(tmp_path, first, other)
