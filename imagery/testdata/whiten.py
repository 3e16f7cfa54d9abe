"""Prints the whitened pictures of whiten_test.go, by NumPy. Run it as:
python whiten.py"""

import numpy as np


def smooth(n):
    while True:
        m = n
        for p in (2, 3, 5):
            while m % p == 0:
                m //= p
        if m == 1:
            return n
        n += 1


def whiten(image):
    h, w, c = image.shape
    out = np.empty((h, w, c))
    for k in range(c):
        plane = np.pad(image[:, :, k].astype(float), ((0, smooth(h) - h), (0, smooth(w) - w)), "symmetric")
        fy, fx = np.meshgrid(np.fft.fftfreq(plane.shape[0]), np.fft.fftfreq(plane.shape[1]), indexing="ij")
        r = np.hypot(fy, fx)
        out[:, :, k] = np.fft.ifft2(np.fft.fft2(plane) * r * np.exp(-((r / 0.4) ** 4))).real[:h, :w]
    out -= out.mean()
    return out * np.sqrt(0.1) / out.std()


for h, w, c in ((4, 6, 1), (7, 3, 1), (3, 2, 3)):
    image = (np.arange(h * w * c).reshape(h, w, c) ** 2 * 37 + 11) % 256
    print(h, w, c, [float(f"{v:.6g}") for v in whiten(image).ravel()])
