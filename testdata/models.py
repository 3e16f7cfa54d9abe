"""Checks model files by the definition of their checksum.

    python models.py models/*.safetensors

prints of each file its SHA-256, which is the model's hash, then the checksum in
it, or "none", and then "ok" or "wrong". It needs nothing but Python.
"""

import hashlib
import json
import sys


def sha256(data):
    return hashlib.sha256(data).hexdigest()


for name in sys.argv[1:]:
    with open(name, "rb") as f:
        whole = f.read()
    size = int.from_bytes(whole[:8], "little")
    header, data = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    metadata = header.pop("__metadata__")
    lines = ["config " + sha256(metadata["config"].encode())]
    for tensor, t in sorted(header.items()):
        begin, end = t["data_offsets"]
        shape = ",".join(map(str, t["shape"]))
        lines.append(f"{tensor} {t['dtype']} {shape} {sha256(data[begin:end])}")
    right = sha256("".join(line + "\n" for line in lines).encode())
    checksum = metadata.get("checksum", "none")
    print(name, sha256(whole), checksum, "ok" if checksum in ("none", right) else "wrong")
