"""The demo page in a real browser, where no outside host can be reached: poses as in Python, attention, mistakes."""

import http.server
import json
import os
import re
import shutil
import tarfile
import threading
from datetime import date
from functools import partial
from pathlib import Path

import cv2
import make_demo_page
import numpy as np
import pytest
from chromium import chromium

from dyconv_pose.deploy import load_exported
from dyconv_pose.inference import read_image
from dyconv_pose.inference.results import confidences, without_duplicates
from dyconv_pose.inference.topdown import normalize

PHOTOGRAPHS = Path(__file__).parents[2] / 'demo/photographs'
NAMES = sorted(path.name for path in PHOTOGRAPHS.glob('*.jpg'))
#: Hosts that are no numbers are not found.
OFFLINE = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'


#: The shares of the kernels that the upper (0) or lower (1) bar of each layer shows.
WIDTHS = """[...document.querySelectorAll('.layer')].map((row) => [...row.querySelectorAll('.mixture')[%d].children]
    .map((part) => parseFloat(part.style.width) / 100))"""


#: What the page says that the detector took, and the dynamic and the static network.
TIMES = """[parseInt(document.querySelector('#first .corner').textContent.match(/\\d+/)),
    ...[...document.querySelectorAll('#times td:nth-child(2)')].map((one) => parseInt(one.textContent))]"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A host without the headers that threads need."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    pytest.importorskip('onnxscript')
    if shutil.which('chromium') is None:
        pytest.skip('Chromium is not installed')
    out = tmp_path_factory.mktemp('page')
    try:
        make_demo_page.unpack_runtime(out / 'onnxruntime', None)
    except (FileNotFoundError, ValueError) as error:
        if not re.search('npm is not installed|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT', str(error)):
            raise
        pytest.skip(f'ONNX Runtime Web cannot be fetched: {error}')
    make_demo_page.make_page(out)
    return out


@pytest.fixture(scope='module')
def open_page(folder, tmp_path_factory):
    """Opens the page in a browser with further flags, from a host with the headers or without, or another folder."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def open_(*flags, isolated=True, script='', page_folder=folder, handler=Quiet):
            handler = partial(handler, directory=str(page_folder))
            server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
            if isolated:
                server.server_close()
                server = make_demo_page.make_server(page_folder, 0)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            profile = tmp_path_factory.mktemp('profile')
            page = stack.enter_context(chromium(shutil.which('chromium'), profile, OFFLINE, *flags))()
            page.call('Page.enable')
            page.call('Page.addScriptToEvaluateOnNewDocument', source=script)
            page.address = f'http://127.0.0.1:{server.server_port}'
            page.open(page.address)
            page.wait('document.querySelectorAll(".webcam").length == 2')
            return page

        yield open_


@pytest.fixture(scope='module')
def page(open_page):
    page = open_page('--use-fake-device-for-media-stream')
    page.wait('document.body.dataset.state == "ready"', 150)
    return page


def state(page, panel='first', *states):
    page.wait(f'{json.dumps(states or ("done", "error"))}.includes(document.getElementById("{panel}").dataset.state)')
    return page.run(f'document.querySelector("#{panel} .message").textContent')


def example(page, name, panel='first'):
    """Clicks an example, waits until all is done, and returns the JSON that the page shows."""
    page.run(f"""(() => {{ const panel = document.getElementById("{panel}"); panel.dataset.state = "busy";
        panel.querySelector("[name='{name}']").click(); }})()""")
    state(page, panel)
    return json.loads(page.run('document.getElementById("json").textContent'))


def choose_file(page, path):
    root = page.call('DOM.getDocument')['root']['nodeId']
    node = page.call('DOM.querySelector', nodeId=root, selector='#first input[type=file]')['nodeId']
    page.run('document.getElementById("first").dataset.state = "busy"')
    page.call('DOM.setFileInputFiles', files=[str(path)], nodeId=node)
    return state(page)


def switch_to(page, network):
    """Runs a network on the images that are there."""
    page.run('document.getElementById("first").dataset.state = "busy"')
    page.run(f"document.querySelector('[name=network][value={network}]').click()")
    state(page)
    return json.loads(page.run('document.getElementById("json").textContent'))


def largest_difference(estimator, name, rows):
    """Between the page's keypoints and Python's: drawn ones in pixels of the network's input, all in score."""
    poses = estimator.predict(PHOTOGRAPHS / name)
    poses = without_duplicates(poses, estimator.keypoint_set.sigmas)
    poses = poses[confidences(poses.scores) >= estimator.person_threshold]
    assert len(rows) == len(poses) > 0
    corners = np.array([row['bbox'][:2] for row in rows])
    poses = poses[np.linalg.norm(poses.boxes[None, :, :2] - corners[:, None], axis=2).argmin(axis=1)]
    found = np.array([row['keypoints'] for row in rows]).reshape(len(rows), -1, 3)
    scale = 192 / (poses.regions[:, 2] - poses.regions[:, 0])
    apart = np.linalg.norm(found[..., :2] - poses.keypoints, axis=2) * scale[:, None]
    assert [row['image_id'] for row in rows] == [int(Path(name).stem)] * len(rows)
    return apart[poses.scores >= 0.3].max(), np.abs(found[..., 2] - poses.scores).max()


@pytest.mark.slow
def test_poses_are_those_of_python(page, folder, record):
    """On each example, by both networks, from the same files."""
    worst = []
    dynamic, static = (load_exported(folder / f'{name}.onnx', flip_test=False) for name in ('dynamic', 'static'))
    for name in NAMES:
        worst.append(largest_difference(dynamic, name, example(page, name)))
        worst.append(largest_difference(static, name, switch_to(page, 'static')))
        worst.append(largest_difference(dynamic, name, switch_to(page, 'dynamic')))
    pixels, scores = np.max(worst, axis=0)
    assert pixels < 0.5 and scores < 0.02
    assert page.run('document.getElementById("notice").hidden')
    if os.cpu_count() > 1:
        assert re.search(r'on \d threads', page.run('document.getElementById("status").textContent'))
    browser = page.call('Browser.getVersion')['product'].removeprefix('Headless')
    record('demo_page', date=str(date.today()), browser=browser, pixels=float(pixels), examples=len(NAMES))


@pytest.mark.slow
def test_bars_are_the_attention_of_the_chosen_person(page, folder):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / 'dynamic.onnx'))
    estimator = load_exported(folder / 'dynamic.onnx', flip_test=False)
    layers = json.loads((folder / 'networks.json').read_text())['layers']
    names = [layer['output'] for layer in layers]

    def attention(row, name):
        left, top, width, height = row['bbox']
        pixels = read_image(PHOTOGRAPHS / name)
        ((crop, _),), _ = estimator.model.prepare(pixels, np.array([[left, top, left + width, top + height]]))
        return np.array(session.run(names, {'input': normalize(crop[None], estimator.model.spec)}))[:, 0]

    def bars(side):
        return np.array(page.run(WIDTHS % side))

    rows, others = example(page, '000000252219.jpg'), example(page, '000000165518.jpg', 'second')
    first, second = attention(rows[0], '000000252219.jpg'), attention(others[0], '000000165518.jpg')
    np.testing.assert_allclose(bars(0), first, atol=1e-3)
    np.testing.assert_allclose(bars(1), second, atol=1e-3)
    assert np.abs(first - second).max() > 0.005  # more than the tolerance above
    changed = page.run(
        "[...document.querySelectorAll('.layer > span:last-child')].map((one) => parseFloat(one.textContent))"
    )
    np.testing.assert_allclose(changed, 50 * np.abs(first - second).sum(axis=1), atol=0.11)
    # Another person: by its button, which the keyboard reaches, and by a click on the image.
    page.run("document.querySelectorAll('#first .list button')[1].focus()")
    for kind in ('keyDown', 'keyUp'):
        page.call('Input.dispatchKeyEvent', type=kind, key='Enter', code='Enter', text='\r', windowsVirtualKeyCode=13)
    np.testing.assert_allclose(bars(0), attention(rows[1], '000000252219.jpg'), atol=1e-3)
    x, y = rows[2]['keypoints'][:2]
    left, top, factor = page.run("""(() => { const canvas = document.querySelector('#first .overlay');
        canvas.scrollIntoView(); const place = canvas.getBoundingClientRect();
        return [place.left, place.top, place.width / canvas.width]; })()""")
    for kind in ('mousePressed', 'mouseReleased'):
        where = dict(x=left + factor * x, y=top + factor * y)
        page.call('Input.dispatchMouseEvent', type=kind, button='left', clickCount=1, **where)
    np.testing.assert_allclose(bars(0), attention(rows[2], '000000252219.jpg'), atol=1e-3)
    shown = page.run("[...document.querySelectorAll('#points tbody tr:first-child td')].map((one) => +one.textContent)")
    np.testing.assert_allclose(shown, rows[2]['keypoints'][:3], atol=0.06)
    page.run("document.getElementById('magnify').click()")
    factor = int(re.search(r'\d+', page.run("document.getElementById('factor').textContent"))[0])
    np.testing.assert_allclose(bars(1), 0.25 + factor * (second - 0.25), atol=1e-2)
    assert factor > 1 and (bars(0) >= 0).all() and (bars(1) >= 0).all()
    page.run("document.getElementById('magnify').click()")


@pytest.mark.slow
def test_mistakes_are_sentences_and_the_page_goes_on(page, tmp_path):
    (tmp_path / 'text.jpg').write_text('no image')
    cv2.imwrite(str(tmp_path / 'large.png'), np.zeros((10000, 10000), np.uint8))
    cv2.imwrite(str(tmp_path / 'black.png'), np.zeros((300, 400, 3), np.uint8))
    assert choose_file(page, tmp_path / 'text.jpg') == (
        '“text.jpg” is no image that this browser can read: choose a JPEG, PNG or WebP file.'
    )
    assert choose_file(page, tmp_path / 'large.png') == (
        '“large.png” has 100 megapixels, and the page takes 64 at most: make it smaller.'
    )
    assert 'Nobody was found' in choose_file(page, tmp_path / 'black.png')
    page.run('document.getElementById("first").dataset.state = "busy"')
    page.call('Browser.setPermission', permission=dict(name='camera'), setting='denied', origin=page.address)
    page.run("document.querySelector('#first .webcam').click()")
    assert 'The webcam was refused' in state(page)
    assert len(example(page, '000000234748.jpg')) == 1


@pytest.mark.slow
def test_an_image_that_is_small_or_large_or_transparent(page, folder, tmp_path):
    photograph, estimator = (
        read_image(PHOTOGRAPHS / '000000234748.jpg'),
        load_exported(folder / 'dynamic.onnx', flip_test=False),
    )
    for name, size in (('small.png', (320, 212)), ('large.png', (5120, 3400))):
        cv2.imwrite(str(tmp_path / name), cv2.resize(photograph, size, interpolation=cv2.INTER_AREA))
        assert 'One person' in choose_file(page, tmp_path / name)
        (row,) = json.loads(page.run('document.getElementById("json").textContent'))
        poses = estimator.predict(tmp_path / name)
        sure = poses.scores[0] > 0.3
        apart = np.linalg.norm(np.reshape(row['keypoints'], (-1, 3))[:, :2] - poses.keypoints[0], axis=1)[sure]
        assert np.median(apart) * 192 / np.ptp(poses.regions[0, ::2]) < 1
    cut = np.dstack([photograph, np.where(np.arange(640) < 320, 0, 255).astype(np.uint8)[None].repeat(425, axis=0)])
    cv2.imwrite(str(tmp_path / 'half.png'), cut)
    choose_file(page, tmp_path / 'half.png')
    left = page.run("[...document.querySelector('#first .photo').getContext('2d').getImageData(5, 5, 1, 1).data]")
    assert left == [255, 255, 255, 255]


def times_of_a_photograph(page):
    """Milliseconds, medians: detector and dynamic network, each network; how many threads; and the last JSON."""
    times = []
    for _ in range(7):
        rows = example(page, '000000234748.jpg')
        times.append(page.run(TIMES))
    assert np.min(times) > 0
    detector, dynamic, static = np.median(times, axis=0)
    return dict(photograph=detector + dynamic, dynamic=dynamic, static=static), rows


@pytest.mark.slow
def test_without_the_headers_one_thread_does_it(folder, open_page, record):
    """How long it takes is recorded, not asserted: what else the cores do counts."""
    page = open_page(isolated=False)
    page.wait('document.body.dataset.state == "ready"', 150)
    assert 'one thread' in page.run('document.getElementById("status").textContent')
    assert not page.run('document.getElementById("notice").hidden')
    ms, rows = times_of_a_photograph(page)
    estimator = load_exported(folder / 'dynamic.onnx', flip_test=False)
    assert largest_difference(estimator, '000000234748.jpg', rows)[0] < 0.5
    record('demo_page', ms=ms)


@pytest.mark.slow
def test_how_long_a_photograph_takes_with_threads(page, record):
    """Recorded, not asserted."""
    threads = re.search(r'on (\w+) thread', page.run('document.getElementById("status").textContent'))[1]
    record('demo_page', threads=threads, ms_with_threads=times_of_a_photograph(page)[0])


@pytest.mark.slow
def test_a_switch_keeps_an_image_that_is_opening_and_a_bad_file_one_that_is_computed(page, tmp_path):
    example(page, '000000234748.jpg')
    page.run("""(() => { window.fetch_ = fetch; window.fetch = async (...all) => {
        await new Promise((resolve) => setTimeout(resolve, 300)); return fetch_(...all); }; })()""")
    page.run('document.querySelector(\'#first [name="000000252219.jpg"]\').click()')
    page.run("document.querySelector('[name=network][value=static]').click()")
    page.wait("document.querySelectorAll('#first .list button').length > 2")
    page.run('window.fetch = fetch_')
    state(page)
    assert page.run("document.querySelector('#first .photo').width") == 640
    assert page.run("document.querySelectorAll('#times tr[aria-current=true] th')[0].textContent") == 'static'
    switch_to(page, 'dynamic')
    (tmp_path / 'text.jpg').write_text('no image')
    page.run('document.querySelector(\'#first [name="000000234748.jpg"]\').click()')
    page.wait("document.querySelector('#first .message').textContent.startsWith('Looking')")
    assert 'no image' in choose_file(page, tmp_path / 'text.jpg')
    page.wait("document.querySelectorAll('#first .list button').length == 1")
    page.wait("![...document.querySelectorAll('#times td')].some((one) => one.textContent == '–')")
    assert 'no image' in state(page)  # which stays to be read


@pytest.mark.slow
def test_the_webcam_runs_live(open_page, tmp_path):
    """Its image is one of the photographs."""
    video = tmp_path / 'camera.mjpeg'
    photograph = read_image(PHOTOGRAPHS / '000000234748.jpg')[:424]  # even sides alone
    video.write_bytes(cv2.imencode('.jpg', photograph)[1].tobytes())
    page = open_page(
        '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream',
        f'--use-file-for-fake-video-capture={video}',
        script="""const devices = navigator.mediaDevices, get = devices.getUserMedia.bind(devices);
            devices.getUserMedia = async (asked) => (window.stream_ = await get(asked));""",
    )
    page.run("document.querySelector('#first .webcam').click()")  # while the networks are loading
    page.wait('document.body.dataset.state == "ready"', 150)
    page.wait("document.querySelectorAll('#first .list button').length == 1")
    page.run("""(() => { window.frames_ = 0; new MutationObserver(() => window.frames_++)
        .observe(document.querySelector('#first .corner'), { childList: true }); })()""")
    page.wait('window.frames_ > 3')
    assert 'ms a person' in page.run("document.querySelector('#first .corner').textContent")
    click, track = "document.querySelector('#first .webcam').click()", 'window.stream_.getTracks()[0]'
    page.run(click)
    assert (state(page), page.run(f'{track}.readyState')) == ('The webcam is off.', 'ended')
    assert len(switch_to(page, 'static')) == 1  # on the frame that stayed
    page.run(click)
    page.wait('document.getElementById("first").dataset.state == "live"')
    page.run(f"{track}.dispatchEvent(new Event('ended'))")  # as where it is unplugged
    assert state(page) == 'The webcam is off.'
    page.run(click)
    page.wait('document.getElementById("first").dataset.state == "live"')
    assert len(example(page, '000000165518.jpg')) == 1  # which ends it
    assert page.run(f"[document.querySelector('#first .webcam').ariaPressed, {track}.readyState]") == ['false', 'ended']


@pytest.mark.slow
def test_a_browser_without_simd_and_missing_networks(open_page, folder, tmp_path):
    page = open_page(script='WebAssembly.validate = () => false')
    page.wait('document.body.dataset.state == "error"')
    assert 'lacks WebAssembly SIMD' in page.run('document.getElementById("status").textContent')
    assert 'lacks WebAssembly SIMD' in (example(page, '000000234748.jpg') or state(page))
    page.run("document.querySelector('#second .webcam').click()")
    assert 'There is no webcam' in state(page, 'second')
    shutil.copytree(folder, tmp_path / 'page', ignore=shutil.ignore_patterns('networks.json'))
    page = open_page(page_folder=tmp_path / 'page')
    page.wait('document.body.dataset.state == "error"')
    assert 'make web' in page.run('document.getElementById("status").textContent')

    class Breaking(Quiet):
        def copyfile(self, source, target):
            if source.name.endswith('static.onnx'):
                target.write(source.read(1000))  # of more
            else:
                super().copyfile(source, target)

    page = open_page(isolated=False, handler=Breaking)
    page.wait('document.body.dataset.state == "error"')
    assert 'static.onnx did not arrive' in page.run('document.getElementById("status").textContent')


@pytest.mark.slow
def test_the_folder_is_whole_and_small(folder):
    assert sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) < 40e6
    described = json.loads((folder / 'networks.json').read_text())
    assert all((folder / file['path']).stat().st_size == file['bytes'] for file in described['files'].values())
    assert {'LICENSE', 'NOTICE', 'LICENSE-onnxruntime.txt'} <= {path.name for path in folder.iterdir()}


def test_mistakes_of_the_builder(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r'must be what "npm pack .*" made, got'):
        make_demo_page.unpack_runtime(tmp_path / 'out', tmp_path / 'none.tgz')
    (tmp_path / 'text.tgz').write_text('no archive')
    with tarfile.open(tmp_path / 'other.tgz', 'w:gz') as archive:
        (tmp_path / 'package.json').write_text('{"name": "onnxruntime-web", "version": "1.0.0"}')
        archive.add(tmp_path / 'package.json', 'package/package.json')
    for name in ('text.tgz', 'other.tgz'):
        with pytest.raises(ValueError, match=r'must be what "npm pack .*" made, .* is not'):
            make_demo_page.unpack_runtime(tmp_path / 'out', tmp_path / name)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(FileNotFoundError, match='npm is not installed: install Node'):
        make_demo_page.unpack_runtime(tmp_path / 'out')
    (tmp_path / 'npm').write_text('#!/bin/sh\necho "npm error no such host" >&2\nexit 1\n')
    (tmp_path / 'npm').chmod(0o755)
    with pytest.raises(ValueError, match=r'cannot \(npm error no such host\)'):
        make_demo_page.unpack_runtime(tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    (tmp_path / 'page').mkdir()
    (tmp_path / 'page/networks.json').touch()
    with pytest.raises(ValueError, match='npm must fetch'):
        make_demo_page.make_page(tmp_path / 'page')
    assert (tmp_path / 'page/networks.json').exists()
    (tmp_path / 'page/onnxruntime').mkdir()
    (tmp_path / 'page/onnxruntime/VERSION').write_text(make_demo_page.RUNTIME)
    make_demo_page.unpack_runtime(tmp_path / 'page/onnxruntime')  # it is there
    monkeypatch.setattr(make_demo_page, 'ROOT', tmp_path)
    with pytest.raises(FileNotFoundError, match='files of the clone, and .* is missing'):
        make_demo_page.make_page(tmp_path / 'page')
    server = make_demo_page.make_server(tmp_path, 0)
    with pytest.raises(ValueError, match='must be one that is free'):
        make_demo_page.make_server(tmp_path, server.server_port)
    server.server_close()


def test_the_tool_ends_with_the_address(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make_demo_page, 'make_page', lambda out, runtime: out.mkdir())
    monkeypatch.setattr(http.server.ThreadingHTTPServer, 'serve_forever', lambda self: self.server_close())
    monkeypatch.setattr('sys.argv', ['make_demo_page.py', str(tmp_path / 'page'), '--serve', '0'])
    make_demo_page.main()
    assert re.search(r'http://127\.0\.0\.1:\d+/ \(Ctrl-C ends\)\n$', capsys.readouterr().out)
