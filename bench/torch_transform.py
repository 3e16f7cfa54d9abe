"""The peer of `aefeat transform`: the same columns by pyarrow and PyTorch.

    python3 torch_transform.py WEIGHTS.safetensors IN.parquet OUT.parquet
        [--batch 16384] [--compression snappy] [--threads 2]

pyarrow reads batches of rows, PyTorch encodes them, pyarrow writes. Needs
numpy, pyarrow, torch and safetensors.
"""
import argparse

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file


def main():
    p = argparse.ArgumentParser()
    p.add_argument("weights")
    p.add_argument("source")
    p.add_argument("out")
    p.add_argument("--batch", type=int, default=16384)
    p.add_argument("--compression", default="snappy")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    w = load_file(a.weights)
    weight, bias = w["encoder.weight"], w["encoder.bias"]
    source = pq.ParquetFile(a.source, memory_map=True)
    width = len(str(weight.shape[0] - 1))
    writer = None
    with torch.inference_mode():
        for batch in source.iter_batches(batch_size=a.batch):
            column = batch.column("image")
            x = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
            x = torch.from_numpy(x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x)
            code = torch.sigmoid(torch.nn.functional.linear(x, weight, bias)).T.contiguous().numpy()
            arrays = list(batch.columns) + [pa.array(c) for c in code]
            names = batch.schema.names + [f"code_{i:0{width}}" for i in range(len(code))]
            out = pa.Table.from_arrays(arrays, names=names)
            if writer is None:
                writer = pq.ParquetWriter(a.out, out.schema, compression=a.compression, use_dictionary=["label"])
            writer.write_table(out)
    writer.close()


if __name__ == "__main__":
    main()
