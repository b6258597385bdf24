"""An experiment of seconds: two small networks on noise, one epoch an iteration or two long."""

import pytest
from tiny_coco import CONFIG, write_coco, write_config

STATIC = CONFIG.with_name(CONFIG.name.replace('_dy-', '_'))


def write_experiment(folder, seeds=(0, 1), epochs=2, **content):
    """Writes data, two configs and an experiment; returns the experiment's file."""
    data = folder / 'coco'
    if not data.exists():
        write_coco(data)
    quick = dict(train_cfg=dict(max_epochs=epochs, val_interval=1), log_level='ERROR')
    hooks = dict(logger=dict(interval=1), checkpoint=dict(save_best=None, max_keep_ckpts=2))
    for name, base in (('static', STATIC), ('dynamic', CONFIG)):
        write_config(folder / f'{name}.py', data, base=base, default_hooks=hooks, **quick)
    content = {
        'title': 'Noise',
        'networks': {name: dict(config=str(folder / f'{name}.py')) for name in ('static', 'dynamic')},
        'comparisons': [('dynamic', 'static')],
        'metrics': ['coco/AP'],
        'seeds': list(seeds),
        **content,
    }
    path = folder / 'noise.py'
    path.write_text('\n'.join(f'{name} = {value!r}' for name, value in content.items()) + '\n')
    return path


@pytest.fixture
def experiment_file(tmp_path):
    return write_experiment(tmp_path)
