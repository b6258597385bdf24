"""``--cfg-options``: settings of a config on the command line, refused where nothing would read them."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from inspect import signature

from dyconv_pose.apis.config import load_config

# isort: split

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

#: What is read of a config: by MMEngine's Runner, and within some of its parts.
_READ = {
    '': {*signature(Runner).parameters, 'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'compile'}
    | {'activation_checkpointing', 'efficient_conv_bn_eval'},
    'env_cfg.': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'auto_scale_lr.': {'enable', 'base_batch_size'},
    'optim_wrapper.paramwise_cfg.': {
        *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'dwconv_decay_mult', 'flat_decay_mult'),
        *('dcn_offset_lr_mult', 'bypass_duplicate', 'force_default_settings', 'num_layers', 'layer_decay_rate'),
    },
}


def load_config_with(path: str, options: Sequence[str] | None) -> Config:
    """Reads a config and applies options such as ``model.backbone.widen_factor=0.5``.

    Errors are those of :func:`~dyconv_pose.apis.load_config`, and a ValueError for an option of another form or without
    effect.
    """
    pairs = [option.partition('=') for option in options or ()]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise ValueError(f'--cfg-options must be of the form KEY=VALUE, got "{wrong[0]}".')
    config = load_config(path)
    for key, _, _ in pairs:
        _refuse_unread(key, config)
    return load_config(path, {key: DictAction._parse_iterable(value) for key, _, value in pairs}) if pairs else config


def _refuse_unread(option: str, config: Config) -> None:
    """Raises a ValueError for an override of something that nothing reads, with the places that it may be meant for."""
    for parent, known in _READ.items():
        name = option.removeprefix(parent).partition('.')[0]
        if not option.startswith(parent) or name in known:
            continue
        rest, paths = option.removeprefix(parent + name), [path for path in _paths(config) if path.endswith(f'.{name}')]
        meant = [path + rest for path in paths if path.partition('.')[0] in _READ['']][:3]
        meant = meant or [parent + one for one in get_close_matches(name, known, 1)]
        raise ValueError(
            f'The option "{option}" has no effect, since nothing reads "{parent}{name}" once the config file is read: '
            + (f'did you mean {" or ".join(meant)}?' if meant else 'leave it out.')
        )


def _paths(part: object, before: str = '') -> Iterator[str]:
    """The dotted keys of everything within a config."""
    pairs = part.items() if isinstance(part, (dict, Config)) else enumerate(part if isinstance(part, list) else [])
    for key, value in pairs:
        yield f'{before}{key}'
        yield from _paths(value, f'{before}{key}.')
