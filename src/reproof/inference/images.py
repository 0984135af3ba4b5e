"""Image files as pixels: height × width × RGB, 8 bits a channel, whatever a file holds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reproof.errors import ReproofError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""That are read: others, such as EPS, would start another program on the file."""

_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def read(path: Path) -> tuple[npt.NDArray[np.uint8], str]:
    """Return the pixels of an image, shape (height, width, 3), uint8, and what is to be known of the file.

    The camera's orientation is applied; of an animation the first frame is taken; transparent pixels lie over
    white; 16 bits are rounded to 8.

    Raises:
        ReproofError: no image, cut short, too large to be safe, or pixels whose range is not known.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", "Palette images with Transparency")
            with Image.open(path, formats=FORMATS) as image:
                notes = [f"{image.width}×{image.height} {_KINDS.get(image.mode, image.mode)}"]
                if (frames := getattr(image, "n_frames", 1)) > 1:
                    notes.append(f"the first of {frames} frames")
                image.load()
                turned = ImageOps.exif_transpose(image)
                pixels = np.asarray(_rgb(turned, notes))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ReproofError("an image with too many pixels to be read safely", found=str(error)) from error
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        raise ReproofError("not an image, or cut short", found=_first_line(error, path)) from error
    if turned.size != image.size:
        notes.append("turned as its camera says")
    return np.ascontiguousarray(pixels, dtype=np.uint8), ", ".join(notes)


_KINDS = {"L": "grey", "1": "black and white", "P": "palette", "LA": "grey with transparency"}


def _rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    from PIL import Image

    if image.mode in _DEEP:
        return _of_deep(image, notes).convert("RGB")
    if image.mode == "F":
        raise ReproofError(
            "an image of floats, whose range nobody declares",
            hint="save it as .npy, made ready for the model, or as an image of 8 or 16 bits",
        )
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        notes.append("over white")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _of_deep(image: Image.Image, notes: list[str]) -> Image.Image:
    from PIL import Image

    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise ReproofError("pixels of more than 16 bits", found=f"{levels.min()} to {levels.max()}")
    notes.append("16 bits rounded to 8")
    return Image.fromarray(np.round(levels / 257).astype(np.uint8))


def _first_line(error: Exception, path: Path) -> str:
    # Pillow names the file by its whole path, which is nobody's business in a record.
    return (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), path.name)[:200]


def tile(pixels: npt.NDArray[Any], edge: int) -> npt.NDArray[np.uint8]:
    """Return a picture fitted into a white square: shape (3, edge, edge)."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((edge, edge))
    if max(image.size) < edge // 2:  # a small one grows by whole pixels
        factor = edge // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    square = Image.new("RGB", (edge, edge), (255, 255, 255))
    square.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return np.asarray(square).transpose(2, 0, 1)
