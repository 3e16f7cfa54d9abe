"""Writes images.json: small images in every format, and their pixels as Pillow
13.0 and NumPy 2.4 see them. Run it as: python images.py > images.json

Each entry is the file (base64), height, width, channels, the pixels (base64,
lines of interleaved channels) and how far a decoder may be off.
"""

import base64
import io
import json
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

H, W = 5, 6
y, x = np.mgrid[0:H, 0:W]
grey = (y * 41 + x * 7).astype(np.uint8)
rgb = np.stack([y * 50 + 3, x * 45 + 5, y * 20 + x * 20 + 9], -1).astype(np.uint8)
alpha = (x * 51).astype(np.uint8)
deep = (y.astype(np.uint32) * 9973 + x * 1009 + 77).astype(np.uint16)
deep3 = np.stack([deep, deep // 2 + 300, 65535 - deep], -1).astype(np.uint16)

entries = {}


def add(name, data, pixels, off=0):
    pixels = np.asarray(pixels, np.uint8)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    entries[name] = {
        "file": base64.b64encode(data).decode(),
        "height": pixels.shape[0], "width": pixels.shape[1], "channels": pixels.shape[2],
        "pixels": base64.b64encode(pixels.tobytes()).decode(), "off": off,
    }


def save(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def back(data, mode):
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))


def on_black(image):
    image = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image))[:, :, :3]


def png16(pixels, kind):
    """A PNG of 16 bits a channel, which Pillow writes for grey only."""
    h, w = pixels.shape[:2]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", w, h, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


L, RGB = Image.fromarray(grey), Image.fromarray(rgb)
RGBA = Image.fromarray(np.dstack([rgb, alpha]))
P = RGB.quantize(16)

add("grey.png", save(L, "PNG"), grey)
add("rgb.png", save(RGB, "PNG"), rgb)
add("rgba.png", save(RGBA, "PNG"), on_black(RGBA), 1)
add("greyalpha.png", save(RGBA.convert("LA"), "PNG"), on_black(RGBA.convert("LA")), 1)
add("palette.png", save(P, "PNG"), np.asarray(P.convert("RGB")))
add("transparentpalette.png", save(P, "PNG", transparency=3), on_black(Image.open(io.BytesIO(save(P, "PNG", transparency=3)))))
add("bilevel.png", save(L.convert("1"), "PNG"), np.asarray(L.convert("1").convert("L")))
add("grey16.png", png16(deep, 0), deep >> 8)
add("rgb16.png", png16(deep3, 2), deep3 >> 8)

jpeg = save(RGB, "JPEG", quality=95, subsampling=0)
add("rgb.jpg", jpeg, back(jpeg, "RGB"), 2)
jpeg = save(L, "JPEG", quality=95)
add("grey.jpg", jpeg, back(jpeg, "L"), 1)
jpeg = save(RGB, "JPEG", quality=90, progressive=True, subsampling=0)
add("progressive.jpg", jpeg, back(jpeg, "RGB"), 2)
jpeg = save(RGB.convert("CMYK"), "JPEG", quality=100, subsampling=0)
add("cmyk.jpg", jpeg, back(jpeg, "RGB"), 4)
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[274] = orientation
    jpeg = save(RGB, "JPEG", quality=95, subsampling=0, exif=exif)
    add(f"orientation{orientation}.jpg", jpeg, np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg)))), 2)

add("lossless.webp", save(RGB, "WEBP", lossless=True), rgb)
add("rgba.webp", save(RGBA, "WEBP", lossless=True, exact=True), on_black(RGBA), 1)
flat = Image.new("RGB", (16, 16), (200, 90, 30))
webp = save(flat, "WEBP", quality=90)
add("flat.webp", webp, back(webp, "RGB"), 2)
webp = save(Image.new("RGB", (16, 16), (255, 255, 255)), "WEBP", quality=90)
add("white.webp", webp, back(webp, "RGB"), 1)

add("rgb.tif", save(RGB, "TIFF"), rgb)
add("lzw.tif", save(RGB, "TIFF", compression="tiff_lzw"), rgb)
add("deflate.tif", save(RGB, "TIFF", compression="tiff_adobe_deflate"), rgb)
add("grey.tif", save(L, "TIFF"), grey)
add("palette.tif", save(P, "TIFF"), np.asarray(P.convert("RGB")))
add("grey16.tif", save(Image.fromarray(deep), "TIFF"), deep >> 8)
for orientation in range(2, 9):
    tiff = save(RGB, "TIFF", tiffinfo={274: orientation})
    add(f"orientation{orientation}.tif", tiff, np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(tiff)))))

add("rgb.bmp", save(RGB, "BMP"), rgb)
add("palette.bmp", save(P, "BMP"), np.asarray(P.convert("RGB")))

print("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items()) + "\n}")
