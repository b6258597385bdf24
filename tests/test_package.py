"""What is installed: a light import, complete metadata, configs found by name, the tools as one command."""

import ast
import configparser
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from dyconv_pose.__main__ import COMMANDS
from dyconv_pose.cli import run
from dyconv_pose.moved import moved
from dyconv_pose.resources import find_config

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'dyconv_pose'
#: Distributions by the names that they are imported by, where the two differ.
DISTRIBUTIONS = {'PIL': 'pillow', 'cv2': 'opencv-python', 'yaml': 'PyYAML'}
#: Chosen by the user, in one of several builds (requirements/).
CHOSEN = {'torch', 'mmengine', 'mmcv', 'mmpose'}
#: Of an extra, or named where it is missing.
OPTIONAL = {'mmdet', 'mmpretrain', 'onnx', 'onnxscript', 'openvino', 'torchvision', 'xtcocotools'}


def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / 'setup.cfg')
    return parser


def imported():
    """The top-level names of all that the package imports."""
    names = set()
    for path in (*PACKAGE.rglob('*.py'), *(ROOT / 'tools').glob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition('.')[0])
    return (
        names - set(sys.stdlib_module_names) - {'dyconv_pose', *(path.stem for path in (ROOT / 'tools').glob('*.py'))}
    )


def test_the_metadata_name_every_package_that_is_imported():
    lines = setup()['options']['install_requires'].split()
    required = {line.partition('>')[0].partition('<')[0].partition('=')[0] for line in lines if line[0].isalpha()}
    needed = {DISTRIBUTIONS.get(name, name) for name in imported() - CHOSEN - OPTIONAL}
    assert needed == required


def test_all_packages_are_installed():
    named = set(setup()['options']['packages'].split())
    there = {'.'.join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob('__init__.py')}
    assert named == there | {'dyconv_pose.checkpoints', 'dyconv_pose.configs', 'dyconv_pose.tools'}


def test_a_config_is_found_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = 'td-hm_dy-mobilenetv2-x0.5_8xb64-210e_coco-256x192'
    expected = ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco' / f'{name}.py'
    for given in (name, f'{name}.py', expected.relative_to(ROOT), expected):
        assert find_config(given).samefile(expected)
    with pytest.raises(FileNotFoundError, match='must be a file or the name of one'):
        find_config('td-hm_no-such-network')


@pytest.mark.parametrize('command', COMMANDS)
def test_help_needs_neither_torch_nor_mmpose(command, tmp_path):
    program = f"""
import sys
sys.modules.update(torch=None, mmpose=None, mmengine=None, cv2=None)
sys.argv = ['dyconv_pose', {command!r}, '--help']
from dyconv_pose.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=tmp_path, env={'PYTHONPATH': str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f'dyconv_pose {command}' in done.stdout


def test_what_moved_names_its_new_place():
    for name in moved():
        with pytest.raises(ModuleNotFoundError, match=r'moved in dyconv_pose 0\.2, see CHANGELOG\.md: '):
            importlib.import_module(name)
    for statement, place in (
        ('from dyconv_pose import analysis', 'tools/analysis_tools'),
        ('from dyconv_pose.analysis.attention.page import anything', 'attention inspection in attention/'),
        ('from dyconv_pose.inference import Picture', 'dyconv_pose.inference.Image'),
        ('from dyconv_pose.models import make_dynamic', 'dyconv_pose.make_dynamic'),
        ('from dyconv_pose.deploy import Plan', 'to_deploy takes a purpose'),
    ):
        with pytest.raises(ModuleNotFoundError, match=place):
            exec(statement)


@pytest.mark.parametrize(
    'error', [PermissionError(13, 'Permission denied', 'a.json'), IsADirectoryError(21, 'Is a directory', 'a.json')]
)
def test_a_file_that_cannot_be_written_is_one_sentence(error, capsys):
    def fail():
        raise error

    with pytest.raises(SystemExit) as ended:
        run(fail)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f'error: "a.json" cannot be read or written: {error.strerror}.\n'
