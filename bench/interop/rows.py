"""The rows that every writer writes: made-up pixels, and values to keep."""
import datetime
import decimal
import io
import uuid

import numpy as np

ROWS, WIDTH, UNITS = 200, 16, 8
SIDE = 4  # of the picture that a row is, where it is one

PIXELS = np.random.default_rng(15).integers(0, 256, (ROWS, WIDTH), dtype=np.uint8)
UNIT = (PIXELS / np.float32(256)).astype(np.float32)  # exact, so that all widths of floats agree
BITS = PIXELS > 127
SPARSE = np.where(PIXELS > 160, UNIT, np.float32(0))

UTC = datetime.timezone.utc


def holes(values):
    """The values with a null in every seventh row."""
    return [None if i % 7 == 3 else v for i, v in enumerate(values)]


IDS = list(range(ROWS))
LABELS = [i % 3 for i in IDS]
WORDS = [("red", "green", "blue", "Größe 大")[i % 4] for i in IDS]
REALS = [i / 3 - 20 for i in IDS]
TRUTHS = [i % 2 == 0 for i in IDS]
BLOBS = [bytes([i % 256, 0, 255]) for i in IDS]
DATES = [datetime.date(1969, 12, 1) + datetime.timedelta(days=i) for i in IDS]
CLOCKS = [datetime.time(i % 24, i % 60, 59, i * 1000 + 1) for i in IDS]
TIMES = [datetime.datetime(1969, 12, 31) + datetime.timedelta(hours=i, microseconds=i) for i in IDS]
ZONED = [t.replace(tzinfo=UTC) for t in TIMES]
SPANS = [datetime.timedelta(days=i - 100, seconds=i, microseconds=i) for i in IDS]
MONEY = [decimal.Decimal(i * 37 - 2000).scaleb(-2) for i in IDS]
HUGE = [(i - 100) * 10**30 for i in IDS]
UUIDS = [uuid.UUID(int=i * 2**100 + 7) for i in IDS]
JSONS = ['{"i": %d, "s": ["a", null]}' % i for i in IDS]
LISTS = [[j for j in range(i % 4)] for i in IDS]
STRUCTS = [{"a": i, "b": WORDS[i]} for i in IDS]


def encoded(kind="PNG", rows=PIXELS):
    """Every row as the bytes of a grey picture of 4x4 pixels."""
    from PIL import Image

    out = []
    for row in rows:
        b = io.BytesIO()
        Image.fromarray(row.reshape(SIDE, SIDE)).save(b, kind)
        out.append(b.getvalue())
    return out


def npy(rows=PIXELS):
    """Every row as a whole .npy file."""
    out = []
    for row in rows:
        b = io.BytesIO()
        np.save(b, row)
        out.append(b.getvalue())
    return out
