"""What training the paper's type B networks on COCO costs: memory counted, loading measured; for docs/coco_run.md."""

import argparse
import json
from pathlib import Path

from dyconv_pose.analysis.trained import machine, versions
from dyconv_pose.analysis.training_cost import loading_seconds, memory_of
from dyconv_pose.analysis.zoo import COCO_FOLDER, TAIL
from dyconv_pose.apis import load_config
from dyconv_pose.cli import run

NETWORKS = ('mobilenetv2', 'mobilenetv2-x0.5', 'mobilenetv3-small')


def main() -> None:
    """Counts, measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='benchmarks/results/training_cost.json')
    args = parser.parse_args()
    networks = {}
    for name in NETWORKS:
        for kind in ('', 'dy-'):
            config = load_config(COCO_FOLDER / f'td-hm_{kind}{name}-bneck{TAIL}.py')
            networks[Path(config.filename).stem] = memory_of(config)
    result = {
        'networks': networks,
        'loading_cpu_seconds': loading_seconds(config),
        'versions': versions(),
        'machine': machine(),
    }
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(result, indent=1) + '\n')
    print(args.out)


if __name__ == '__main__':
    run(main)
