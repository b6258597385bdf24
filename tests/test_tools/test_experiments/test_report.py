"""The report says what the records do, also where that is nothing."""

from pathlib import Path

import pytest
from experiments.description import load_experiment, recipe_of
from experiments.plots import plot_learning_curves
from experiments.records import read_records
from experiments.report import difference_table, network_table, summarise

ROOT = Path(__file__).parents[3]
FOLDER = 'configs/experiments'
EXPERIMENTS = sorted((ROOT / FOLDER).glob('*.py'))
COMPARISONS = [path for path in EXPERIMENTS if 'recipe' not in path.stem]


def a_record(network, seed, ap, loss=0.5):
    validations = [{'epoch': 1, 'coco/AP': ap / 2}, {'epoch': 2, 'coco/AP': ap}]
    return dict(
        network=network,
        seed=seed,
        metrics={'coco/AP': ap},
        final_loss=loss,
        training_seconds=120,
        epochs=2,
        losses=[[1, 2 * loss], [2, loss]],
        validations=validations,
    )


@pytest.fixture
def records():
    found = [a_record('static', seed, 0.1 + 0.01 * seed) for seed in (0, 1, 2)]
    return found + [a_record('dynamic', seed, 0.15 + 0.01 * seed + 0.002 * (seed == 1), loss=0.4) for seed in (0, 1)]


def test_tables(experiment_file, records):
    experiment = load_experiment(experiment_file)
    text = network_table(experiment, records, {'static': dict(params=12_345_678, madds=1.26e6)})
    assert '| `static` | 3 | 12.35M | 1.3M | 2 | 0.500 ± 0.000 | 11.00 ± 1.00 |' in text
    text = difference_table(experiment, records)
    assert '| dynamic - static | 2 | +5.00, +5.20 | +5.10 (+3.83 to +6.37)* | -0.100 (-0.100 to -0.100)* |' in text


def test_a_network_without_runs(experiment_file, records):
    experiment, static = load_experiment(experiment_file), [r for r in records if r['network'] == 'static']
    assert '| `dynamic` | 0 of 2 | - | - | - | - | - |' in network_table(experiment, static)
    assert '| dynamic - static | 0 | - | - | - |' in difference_table(experiment, static)


def test_intervals_claim_no_more_than_they_may():
    assert summarise([0.2]).with_interval() == '+0.20'  # nothing follows from one seed
    assert not summarise([0.2, -0.1, 0.1]).with_interval().endswith('*')
    assert summarise([-2, -2.01, -1.99]).with_interval() == '-2.00 (-2.02 to -1.98)*'


def test_runs_of_another_experiment_count_but_not_their_minutes(experiment_file, records):
    reused = [record | dict(reused_from='other', training_seconds=1200) for record in records[:1]]
    experiment = load_experiment(experiment_file)
    (row,) = [line for line in network_table(experiment, reused).splitlines() if line.startswith('| `static`')]
    assert row.split(' | ')[1] == '1 of 2' and row.split(' | ')[4] == '-'
    (row,) = [
        line for line in network_table(experiment, reused + records[1:]).splitlines() if line.startswith('| `static`')
    ]
    assert row.split(' | ')[4] == '2'


def test_curves(experiment_file, records, tmp_path):
    experiment = load_experiment(experiment_file)
    out = plot_learning_curves(experiment, records, tmp_path / 'curves.png')
    assert out.stat().st_size > 10_000
    with pytest.raises(ValueError, match='at least one finished run'):
        plot_learning_curves(experiment, [], tmp_path / 'none.png')


def test_the_search_for_a_recipe_sees_static_networks_and_a_seed_of_its_own(monkeypatch):
    monkeypatch.chdir(ROOT)
    search, experiment = (load_experiment(ROOT / FOLDER / f'photographs_{name}cpu.py') for name in ('recipe_', ''))
    assert not {run.seed for run in search.runs} & {run.seed for run in experiment.runs}
    for run in search.runs:
        model = run.config().model
        assert model.backbone.get('conv_cfg') is None
        assert model.head.get('conv_cfg') is None


@pytest.mark.parametrize('path', COMPARISONS, ids=lambda path: path.stem)
def test_experiments_of_the_repository(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    experiment = load_experiment(path)
    assert len({run.seed for run in experiment.runs}) >= 2
    recipes = {}
    for run in experiment.runs[: len(experiment.networks)]:
        config = run.config()
        recipes[run.network] = [
            config[part]
            for part in ('train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'val_evaluator')
        ]
        by_epoch = 'max_epochs' in config.train_cfg
        length = config.train_cfg.max_epochs if by_epoch else config.train_cfg.max_iters
        assert length % config.train_cfg.val_interval == 0  # the end is validated
        assert config.default_hooks.checkpoint.max_keep_ckpts >= 2  # one is whole while another is written
        assert config.default_hooks.checkpoint.interval == 1 or not by_epoch
    first = next(iter(recipes.values()))
    assert all(recipe == first for recipe in recipes.values())  # trained alike


@pytest.mark.parametrize('path', COMPARISONS, ids=lambda path: path.stem)
def test_records_are_those_of_the_recipes(path, monkeypatch):
    """A change of a config, or of a name in it, must not turn finished runs into others."""
    monkeypatch.chdir(ROOT)
    experiment = load_experiment(path)
    records = read_records(ROOT / f'results/{path.stem}.jsonl')
    recipes = {network: recipe_of(experiment.run(network, experiment.runs[0].seed).config())
               for network in {record['network'] for record in records}}  # fmt: skip
    assert [record['recipe'] for record in records] == [recipes[record['network']] for record in records]
