# Does annealing the temperature help? At 30, held constant, the attention of synthetic_cpu.py's networks hardly depends
# on the image (docs/attention.md): so here it falls to 1 over ten epochs, which lets it.
_base_ = ['./synthetic_cpu.py']

title = 'Temperature, on synthetic people'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/coco/'
_tail = 'mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
_anneal = dict(type='TemperatureHook', start=30, end=1, duration=10)

networks = dict(
    _delete_=True,
    static=dict(config=f'{_folder}td-hm_{_tail}'),
    tau30=dict(config=f'{_folder}td-hm_dy-{_tail}'),
    tau30to1=dict(
        config=f'{_folder}td-hm_dy-{_tail}',
        options={
            'default_hooks.temperature': _anneal,
            'default_hooks.attention': dict(type='AttentionLogHook', interval=60),
        },
    ),
)
comparisons = [('tau30to1', 'tau30'), ('tau30to1', 'static')]
reuses = ['synthetic_cpu']
