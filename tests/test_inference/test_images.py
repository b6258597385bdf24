"""Images as people send them."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dyconv_pose.inference.images import as_image, read_image


@pytest.fixture
def pixels():
    """Smooth colours (60, 90, 3) uint8, red first."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return cv2.resize(coarse, (90, 60), interpolation=cv2.INTER_CUBIC)


def error(found, expected_rgb):
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    assert found.shape == expected_rgb.shape
    return np.abs(found[..., ::-1].astype(int) - expected_rgb).mean()


@pytest.mark.parametrize('name', ['a.png', 'a.bmp', 'a.tif', 'a.jpg', 'no ending', 'Ünï cødé 図/mit Leer zeichen.png'])
def test_plain_images(tmp_path, pixels, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, format=None if path.suffix else 'png', quality=95)
    assert error(read_image(path), pixels) < 3


@pytest.mark.parametrize('ending', ['jpg', 'png', 'webp', 'tif', 'avif'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_rotation_is_applied(tmp_path, pixels, ending, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f'a.{ending}'
    Image.fromarray(pixels).save(path, exif=exif, **({'lossless': True} if ending == 'webp' else {}))
    assert error(read_image(path), np.asarray(ImageOps.exif_transpose(Image.open(path)).convert('RGB'))) == 0


def test_an_avif_is_upright(tmp_path, pixels):
    """Its rotation stands beside the pixels, not in EXIF alone, and OpenCV leaves it out."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / 'a.avif', exif=exif, quality=95)
    assert error(read_image(tmp_path / 'a.avif'), np.rot90(pixels, -1)) < 5


@pytest.mark.parametrize('ending', ['jpg', 'tif'])
def test_cmyk(tmp_path, pixels, ending):
    Image.fromarray(pixels).convert('CMYK').save(tmp_path / f'a.{ending}', quality=95)
    assert error(read_image(tmp_path / f'a.{ending}'), pixels) < 2


@pytest.mark.parametrize('mode', ['L', 'LA', 'I;16'])
@pytest.mark.parametrize('ending', ['png', 'tif'])
def test_grey(tmp_path, pixels, mode, ending):
    grey = np.asarray(Image.fromarray(pixels).convert('L'))
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == 'I;16' else Image.fromarray(grey).convert(mode)
    image.save(tmp_path / f'a.{ending}')
    assert error(read_image(tmp_path / f'a.{ending}'), np.stack([grey] * 3, axis=2)) < 1


def test_sixteen_bits_of_colour_keep_the_upper_byte(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / 'a.png'), pixels[..., ::-1].astype(np.uint16) * 257)
    assert error(read_image(tmp_path / 'a.png'), pixels) == 0


@pytest.mark.parametrize('ending', ['png', 'webp', 'tif'])
def test_transparency_shows_white(tmp_path, pixels, ending):
    alpha = np.full((60, 90, 1), 255, dtype=np.uint8)
    alpha[:30] = 0
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / f'a.{ending}', lossless=True)
    expected = pixels.copy()
    expected[:30] = 255
    assert error(read_image(tmp_path / f'a.{ending}'), expected) == 0


def test_one_pixel_and_many(tmp_path, pixels):
    Image.fromarray(pixels[:1, :1]).save(tmp_path / 'tiny.png')
    assert read_image(tmp_path / 'tiny.png').shape == (1, 1, 3)
    Image.new('RGB', (40000, 500), 'red').save(tmp_path / 'large.png', compress_level=1)
    assert read_image(tmp_path / 'large.png').shape == (500, 40000, 3)


@pytest.mark.parametrize('ending', ['jpg', 'png', 'bmp', 'tif', 'webp', 'gif'])
def test_half_an_image_is_refused(tmp_path, pixels, ending):
    path = tmp_path / f'a.{ending}'
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf'a\.{ending}'):
        read_image(path)


def test_half_a_jpeg_with_a_whole_thumbnail_is_refused(tmp_path, pixels):
    path = tmp_path / 'a.jpg'
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    thumbnail = b'\xff\xe1' + (len(whole) + 2).to_bytes(2, 'big') + whole
    path.write_bytes(whole[:2] + thumbnail + whole[2:])
    read_image(path)
    path.write_bytes((whole[:2] + thumbnail + whole[2:])[: -len(whole) // 3])
    with pytest.raises(ValueError, match='cut short'):
        read_image(path)


@pytest.mark.parametrize('content', [b'', b'only text\n' * 50, b'\x89PNG\r\n\x1a\n' + b'\0' * 64 + b'IEND\xaeB`\x82'])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / 'a.jpg').write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.jpg'):
        read_image(tmp_path / 'a.jpg')


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / 'none.jpg', tmp_path):
        with pytest.raises(FileNotFoundError):
            read_image(path)


def test_arrays_and_pil_images(pixels):
    assert error(as_image(pixels, 'rgb'), pixels) == 0
    assert error(as_image(pixels[..., ::-1], 'bgr'), pixels) == 0
    assert error(as_image(Image.fromarray(pixels)), pixels) == 0
    assert as_image(pixels[..., 0]).shape == (60, 90, 3)


@pytest.mark.parametrize(
    ('image', 'order', 'message'),
    [
        (np.zeros((4, 4, 3), np.uint8), None, 'channel_order'),
        (np.zeros((4, 4, 3), np.uint8), 'grb', 'channel_order'),
        (np.zeros((4, 4, 3), np.float32), 'rgb', 'uint8'),
        (np.zeros((4, 4, 4), np.uint8), 'rgb', 'shape'),
        (np.zeros((0, 4, 3), np.uint8), 'rgb', 'shape'),
        (7, None, 'int'),
    ],
)
def test_what_is_no_image_in_memory_is_refused(image, order, message):
    with pytest.raises(ValueError, match=message):
        as_image(image, order)
