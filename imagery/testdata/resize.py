"""Writes resize.json: pictures resized by Pillow 13.0, in floating point with
its bicubic filter, rounded and kept within a byte. Run it as:
python resize.py > resize.json

Value (y, x, c) of a picture is (y*y*41 + x*57 + c*90) % 256.
"""

import base64
import json

import numpy as np
from PIL import Image

entries = []
for height, width, channels, to_height, to_width in [
    (12, 9, 1, 5, 4), (5, 4, 1, 12, 9), (7, 16, 3, 14, 3), (30, 30, 3, 8, 8), (64, 48, 1, 3, 5), (6, 6, 1, 6, 3),
]:
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    pixels = ((y * y * 41 + x * 57 + c * 90) % 256).astype(np.float32)
    planes = [np.asarray(Image.fromarray(pixels[:, :, k]).resize((to_width, to_height), Image.BICUBIC)) for k in range(channels)]
    out = np.clip(np.floor(np.stack(planes, -1) + 0.5), 0, 255).astype(np.uint8)
    entries.append({"from": [height, width, channels], "to": [to_height, to_width], "pixels": base64.b64encode(out.tobytes()).decode()})

print("[\n" + ",\n".join(json.dumps(e) for e in entries) + "\n]")
