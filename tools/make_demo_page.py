"""Makes the demo page of demo/ with all that it runs: a folder for any static host, or served here by --serve."""

import argparse
import json
import shutil
import subprocess
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from dyconv_pose.cli import run
from dyconv_pose.files import write_atomically
from dyconv_pose.resources import DETECTOR

#: The clone that this file lies in.
ROOT = Path(__file__).parents[1]

#: ONNX Runtime Web as npm has it, and its files for WebAssembly, the smallest that run the networks.
RUNTIME = 'onnxruntime-web@1.30.0'
RUNTIME_FILES = ('ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm')

#: The network of the page, x1.0, and its static twin.
CONFIG = 'td-hm_dy-mobilenetv2-fpn_1xb32-1k-decay_photographs-256x192'
CHECKPOINT = 'td-hm_dy-mobilenetv2-fpn_photographs-256x192.pth'
STATIC = 'dy-mobilenetv2-x1.0-collapsed_photographs-256x192.onnx'


def make_page(out: Path, runtime: Path | None = None) -> None:
    """Writes the page into a folder, whose other files stay.

    Args:
        out: The folder.
        runtime: What ``npm pack`` made of :data:`RUNTIME`; ``None`` asks npm for it.

    Raises:
        FileNotFoundError: npm, the runtime or a file of the clone is missing.
        ValueError: npm cannot fetch the runtime, or the file is another one.
    """
    weights = {'detector.onnx': in_clone(f'checkpoints/{DETECTOR}'), 'static.onnx': in_clone(f'checkpoints/{STATIC}')}
    page, checkpoint = in_clone('demo'), in_clone(f'checkpoints/{CHECKPOINT}')
    unpack_runtime(out / 'onnxruntime', runtime)
    (out / 'networks.json').unlink(missing_ok=True)  # the last file, so that a half-made page is not taken for a whole
    for name, path in weights.items():
        shutil.copyfile(path, out / name)
    described = describe(export_dynamic(checkpoint, out / 'dynamic.onnx'))
    shutil.copytree(page, out, ignore=shutil.ignore_patterns('README.md'), dirs_exist_ok=True)
    for name in ('LICENSE', 'NOTICE'):
        shutil.copyfile(in_clone(name), out / name)
    paths = dict(runtime=f'onnxruntime/{RUNTIME_FILES[-1]}', detector='detector.onnx')
    paths |= dict(dynamic='dynamic.onnx', static='static.onnx')
    files = {name: dict(path=path, bytes=(out / path).stat().st_size) for name, path in paths.items()}
    write_atomically(out / 'networks.json', json.dumps(dict(files=files, **described), indent=1))


def in_clone(name: str) -> Path:
    """A file or folder of the clone; a FileNotFoundError where it is missing, as in an installed package."""
    path = ROOT / name
    if not path.exists():
        raise FileNotFoundError(f'The page is made of files of the clone, and "{path}" is missing: clone it again.')
    return path


def unpack_runtime(out: Path, packed: Path | None = None) -> None:
    """Takes :data:`RUNTIME_FILES` from what ``npm pack`` made, unless they are there; see :func:`make_page`."""
    noted = out / 'VERSION'
    if packed is None and noted.is_file() and noted.read_text() == RUNTIME:
        return
    with TemporaryDirectory() as downloads:
        if packed is None:
            command = shutil.which('npm')
            if command is None:
                raise FileNotFoundError(
                    f'The page runs on {RUNTIME}, which npm fetches, and npm is not installed: install Node.js, which '
                    'has it, or give the file that "npm pack" made elsewhere by --runtime.'
                )
            done = subprocess.run([command, 'pack', RUNTIME], cwd=downloads, capture_output=True, text=True)
            packed = next(Path(downloads).glob('*.tgz'), None)
            if done.returncode or packed is None:
                lines = [line for line in done.stderr.splitlines() if line.startswith(('npm error', 'npm ERR!'))]
                said = (lines or ['no file came'])[0]
                raise ValueError(f'npm must fetch {RUNTIME}, and cannot ({said}): is there a network connection?')
        if not packed.is_file():
            raise FileNotFoundError(f'The runtime must be what "npm pack {RUNTIME}" made, got "{packed}".')
        try:
            with tarfile.open(packed) as archive:
                version = json.load(archive.extractfile('package/package.json'))
                if f'{version["name"]}@{version["version"]}' != RUNTIME:
                    raise KeyError(f'{version["name"]}@{version["version"]}')
                contents = {name: archive.extractfile(f'package/dist/{name}').read() for name in RUNTIME_FILES}
        except (tarfile.TarError, KeyError, EOFError, OSError) as error:
            raise ValueError(
                f'The runtime must be what "npm pack {RUNTIME}" made, "{packed}" is not: {error}.'
            ) from error
    out.mkdir(parents=True, exist_ok=True)
    noted.unlink(missing_ok=True)
    for name, content in contents.items():
        (out / name).write_bytes(content)
    noted.write_text(RUNTIME)


def export_dynamic(checkpoint: Path, out: Path) -> 'HeatmapModel':  # noqa: F821  dyconv_pose.inference's
    """Exports the dynamic network with its attention, for one person at a time, and returns it."""
    from dyconv_pose.apis.estimator import load_model
    from dyconv_pose.deploy.export import export_onnx

    model = load_model(CONFIG, checkpoint)
    export_onnx(model, out, batch=1, storage='int8', source=CONFIG, with_attention=True)
    return model


def describe(model: 'HeatmapModel') -> dict:  # noqa: F821
    """What the page needs to know, besides the files, to run the network and the detector."""
    import cv2

    from dyconv_pose.deploy.runtime import ATTENTION
    from dyconv_pose.inference import PoseEstimator
    from dyconv_pose.inference.detectors import OnnxDetector
    from dyconv_pose.layers import dynamic_layers

    detector, spec, keypoints = OnnxDetector.load(in_clone(f'checkpoints/{DETECTOR}')), model.spec, model.keypoint_set
    layers = []
    for name, layer in dynamic_layers(model.network.module):
        _, stage, block, *_ = name.split('.')  # backbone.layer2.1.conv.0.conv
        channels, size = (layer.in_channels, layer.out_channels), '×'.join(map(str, layer.kernel_size))
        kind = 'depthwise' if layer.groups > 1 else 'widening' if channels[1] > channels[0] else 'narrowing'
        layers.append(
            dict(
                output=ATTENTION + name,
                stage=f'Stage {stage.removeprefix("layer")}',
                label=f'{int(block) + 1} · {kind} {size}',
                title=f'{name}: block {int(block) + 1}, {kind} {size}, {channels[0]} to {channels[1]} channels',
                kernels=layer.num_kernels,
            )
        )
    size = detector.input_size_wh[0]
    return dict(
        input=spec.input_size_wh,
        mean=spec.mean,
        std=spec.std,
        padding=spec.padding,
        blur=cv2.getGaussianKernel(spec.blur_kernel_size, 0).ravel().tolist(),
        detector=dict(size=size, threshold=detector.threshold, power=detector.kind.power),
        personThreshold=PoseEstimator.person_threshold,
        names=keypoints.names,
        sigmas=keypoints.sigmas,
        skeleton=keypoints.skeleton,
        limbColors=keypoints.limb_colors,
        keypointColors=keypoints.keypoint_colors,
        layers=layers,
    )


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder with the headers by which a browser lets the page use threads."""

    # Some systems register scripts as something else.
    extensions_map = SimpleHTTPRequestHandler.extensions_map | dict.fromkeys(('.js', '.mjs'), 'text/javascript')

    def end_headers(self) -> None:
        """Adds the headers to those of the file."""
        self.send_header('Cross-Origin-Opener-Policy', 'same-origin')
        self.send_header('Cross-Origin-Embedder-Policy', 'require-corp')
        self.send_header('Cache-Control', 'no-cache')
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        """Keeps quiet about each file."""


def make_server(page: Path, port: int) -> ThreadingHTTPServer:
    """A server of a page on this machine alone; a ValueError where the port is taken."""
    try:
        return ThreadingHTTPServer(('127.0.0.1', port), partial(Handler, directory=str(page)))
    except (OSError, OverflowError) as error:
        raise ValueError(
            f'The port must be one that is free, {port} cannot be used ({error}): give another.'
        ) from error


def main() -> None:
    """Reads the command line, makes the page and serves it if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, metavar='OUT', help='the folder to write')
    parser.add_argument('--runtime', type=Path, metavar='FILE.tgz', help=f'what "npm pack {RUNTIME}" made, without npm')
    parser.add_argument('--serve', type=int, nargs='?', const=8000, metavar='PORT', help='serve it (port %(const)s)')
    args = parser.parse_args()
    server = None if args.serve is None else make_server(args.out, args.serve)
    print(
        f'Making {args.out}: ONNX Runtime Web by npm, and the networks (about a minute) ...',
        flush=True,
    )
    make_page(args.out, args.runtime)
    size = sum(path.stat().st_size for path in args.out.rglob('*') if path.is_file()) / 1e6
    print(f'{args.out}, {size:.1f} MB: any static host can serve it')
    if server:
        print(f'http://127.0.0.1:{server.server_port}/ (Ctrl-C ends)', flush=True)
        server.serve_forever()


if __name__ == '__main__':
    run(main)
