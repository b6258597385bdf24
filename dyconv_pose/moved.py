"""Says where a module of version 0.1 went, to whoever still imports it from its old place."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

#: Old module -> what takes its place. A package covers all modules in it that are not named themselves.
MOVED = {
    'dyconv_pose.analysis': 'under tools/analysis_tools',
    'dyconv_pose.analysis.attention': 'tools/analysis_tools/attention',
    'dyconv_pose.analysis.complexity': 'tools/analysis_tools/costs/counter.py',
    'dyconv_pose.analysis.curves': 'tools/analysis_tools/plot_training.py',
    'dyconv_pose.experiments': 'tools/experiments',
    'dyconv_pose.datasets.synthetic': 'tools/dataset_converters/synthetic_people',
    'dyconv_pose.datasets.class_folders': 'tools/dataset_converters/make_class_folders.py',
    'dyconv_pose.datasets.coco_release': 'tools/dataset_converters/coco_release.py',
    'dyconv_pose.layers.execution': 'dyconv_pose.layers.cpu.rule, and forced_form benchmarks/forced_form.py',
    'dyconv_pose.layers.per_sample': 'dyconv_pose.layers.forms, and aggregate dyconv_pose.layers',
    'dyconv_pose.layers.products': 'dyconv_pose.layers.cpu.products',
    'dyconv_pose.layers.depthwise': 'dyconv_pose.layers.cpu.depthwise',
    'dyconv_pose.layers.tiles': 'dyconv_pose.layers.cpu.tiles',
    'dyconv_pose.layers.tile_forms': 'dyconv_pose.layers.cpu.tile_forms',
}


class _MovedFinder(MetaPathFinder):
    """Asked after all other finders, for modules that none of them has."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """Raises for a module that moved.

        Raises:
            ModuleNotFoundError: With the new place.
        """
        parts = name.split('.')
        for length in range(len(parts), 1, -1):
            place = MOVED.get('.'.join(parts[:length]))
            if place:
                raise ModuleNotFoundError(f'{name} moved in dyconv_pose 0.2: it is now {place}.', name=name)
        return None


def install() -> None:
    """Lets imports of moved modules be explained; a second call does nothing."""
    if not any(isinstance(finder, _MovedFinder) for finder in sys.meta_path):
        sys.meta_path.append(_MovedFinder())
