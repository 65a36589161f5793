"""Metres from an ONNX file of `tr2m export onnx`, with onnxruntime and numpy alone.

python onnx_example.py tr2m.onnx tr2m.npz photo.npy depth.npy

tr2m.npz comes from --text "..." of the export; photo.npy is RGB, uint8 (H, W, 3); depth.npy is float32, at the photo's
size, in the unit that the file's metadata state.
"""

import sys

import numpy as np
import onnxruntime


def resized(values, height, width):
    """Bilinear; corners of the frame stay in place."""
    for axis, new in ((0, height), (1, width)):
        old = values.shape[axis]
        at = ((np.arange(new) + 0.5) * old / new - 0.5).clip(0, old - 1)
        low, share = np.floor(at).astype(int), at - np.floor(at)
        share = share.reshape(-1, *[1] * (values.ndim - 1 - axis))
        values = values.take(low, axis) * (1 - share) + values.take((low + 1).clip(max=old - 1), axis) * share
    return values.astype(np.float32)


session = onnxruntime.InferenceSession(sys.argv[1])
print(session.get_modelmeta().custom_metadata_map)
height, width = session.get_inputs()[0].shape[2:]
photo = np.load(sys.argv[3])
image = resized(photo / 255, height, width).transpose(2, 0, 1)[None]
inputs = {name: values[:1] for name, values in np.load(sys.argv[2]).items()}
inputs = {wanted.name: inputs.get(wanted.name, image) for wanted in session.get_inputs()}
(depth,) = session.run(["metric_depth"], inputs)[0]
np.save(sys.argv[4], resized(depth, *photo.shape[:2]))
