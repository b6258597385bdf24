"""The sizes of images as training reads them, from the headers of their files."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .annotations import AnnotationTable, Finding, findings_of

#: Values of EXIF's orientation for which width and height change places, and the formats in which OpenCV follows it
#: (Pillow states the size of a TIFF file upright).
_TURNED, _FORMATS = (5, 6, 7, 8), ('JPEG', 'MPO', 'PNG', 'WEBP')


def header_size(path: str | Path, is_upright: bool = True) -> tuple[int, int] | None:
    """Width and height of an image, upright by EXIF or as stored; ``None`` where the header cannot be read."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            has_exif = image.format in _FORMATS and 'exif' in image.info  # else Pillow decodes a PNG to look for it
            is_turned = is_upright and has_exif and image.getexif().get(0x0112) in _TURNED
            return image.size[::-1] if is_turned else image.size
    except (PIL.Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None


def size_findings(table: AnnotationTable, folder: Path, rows: Iterable[int], is_upright: bool = True) -> list[Finding]:
    """Images, by their rows, that have another size than annotated: an error if most do, else a warning."""
    sizes = {row: header_size(folder / table.file_names[row], is_upright) for row in rows}
    sizes = {row: size for row, size in sizes.items() if size}
    differ = [
        f'{table.file_names[row]}: {size[0]}x{size[1]}, annotated {annotated[0]:g}x{annotated[1]:g}'
        for row, size in sizes.items()
        if size != tuple(annotated := table.image_sizes_wh[row])
    ]
    message = f'of {len(sizes):,} images have another size than annotated: resize or rotate images or annotations'
    if is_upright:
        message += " (EXIF's rotation is applied; color_type='color_ignore_orientation' of LoadImage leaves it out)"
    severity = 'error' if len(differ) > 0.5 * len(sizes) else 'warning'
    return [replace(found, severity=severity) for found in findings_of([('image-size', message, differ, 'file')])]
