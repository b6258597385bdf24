import json

import cv2
import numpy as np
import pytest
from crop_augmentations import DropPatches, PasteNeighbour


@pytest.fixture
def neighbours(tmp_path):
    """A file of one person, white on black, whose 17 joints lie on a circle."""
    image = np.zeros((200, 120, 3), np.uint8)
    image[20:180, 20:100] = 255
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    angles = np.linspace(0, 2 * np.pi, 17, endpoint=False)
    points = np.stack([60 + 30 * np.cos(angles), 100 + 60 * np.sin(angles), np.full(17, 2)], axis=1)
    person = dict(id=1, image_id=1, category_id=1, bbox=[20, 20, 80, 160], keypoints=points.ravel().tolist())
    images = [dict(id=1, file_name='a.png', width=120, height=200)]
    path = tmp_path / 'persons.json'
    path.write_text(json.dumps(dict(images=images, annotations=[person], categories=[dict(id=1, name='person')])))
    return dict(ann_file=str(path), data_root=str(tmp_path))


def test_a_neighbour_covers_a_part_of_the_crop(neighbours):
    crop = np.full((256, 192, 3), 100, np.uint8)
    pasted = PasteNeighbour(prob=1, **neighbours).transform(dict(img=crop.copy()))['img']
    changed = (pasted != crop).any(axis=2).mean()
    assert pasted.dtype == np.uint8 and pasted.shape == crop.shape
    assert 0.02 < changed < 0.7
    assert pasted.max() == 255  # the white person, not the black around it, but for the soft edge
    np.testing.assert_array_equal(PasteNeighbour(prob=0, **neighbours).transform(dict(img=crop.copy()))['img'], crop)


def test_patches_have_one_colour_and_leave_the_rest():
    crop = np.random.default_rng(0).integers(0, 256, (256, 192, 3), np.uint8)
    dropped = DropPatches(prob=1).transform(dict(img=crop.copy()))['img']
    changed = (dropped != crop).any(axis=2)
    assert 0.001 < changed.mean() < 0.3
    assert len(np.unique(dropped[changed].reshape(-1, 3), axis=0)) <= 3
    np.testing.assert_array_equal(DropPatches(prob=0).transform(dict(img=crop.copy()))['img'], crop)
