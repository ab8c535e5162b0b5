"""A voice as 256 numbers: Resemblyzer's encoder, computed without PyTorch.

The network and its weights are of Resemblyzer 0.1.4 (Apache-2.0), after "Generalized End-to-End
Loss for Speaker Verification" (Wan et al., ICASSP 2018): three LSTM layers over 1.6 s of mel
frames, the last state through a linear layer and a ReLU, of length 1.
"""

from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from orchestration.services.torch_weights import Floats, read_weights

WINDOW_FRAMES = 160
"""Frames of 10 ms in one embedding, as in training."""

SIZE = 256
LAYERS = 3


class VoiceEncoder:
    """The network with its weights. It keeps no state."""

    def __init__(self, weights: Path) -> None:
        """Read the weights; raises as `read_weights` does, and KeyError if one is not there."""
        found = read_weights(weights, "model_state")
        self._layers = [_Layer(found, index) for index in range(LAYERS)]
        self._weight = np.ascontiguousarray(found["linear.weight"].T)
        self._bias = found["linear.bias"]
        self._pools = ThreadpoolController()

    def embed(self, windows: Floats) -> Floats:
        """Unit vectors (windows, SIZE) of mel windows (windows, WINDOW_FRAMES, MELS)."""
        # Several threads for products this small do nothing but wait for each other.
        with self._pools.limit(limits=1, user_api="blas"):
            return self._embed(windows)

    def _embed(self, windows: Floats) -> Floats:
        # Time comes first: each step is one multiplication for all windows.
        states = np.ascontiguousarray(windows.transpose(1, 0, 2))
        for layer in self._layers:
            states = layer.run(states)
        raw = np.maximum(states[-1] @ self._weight + self._bias, 0)
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        embedded: Floats = raw / np.maximum(lengths, np.float32(1e-9))
        return embedded


class _Layer:
    """One LSTM layer. PyTorch stacks its gates as input, forget, cell, output."""

    def __init__(self, weights: dict[str, Floats], index: int) -> None:
        self._input = np.ascontiguousarray(weights[f"lstm.weight_ih_l{index}"].T)
        self._hidden = np.ascontiguousarray(weights[f"lstm.weight_hh_l{index}"].T)
        self._bias = weights[f"lstm.bias_ih_l{index}"] + weights[f"lstm.bias_hh_l{index}"]

    def run(self, inputs: Floats) -> Floats:
        """Hidden states (steps, windows, SIZE) of inputs (steps, windows, features)."""
        steps, count, _ = inputs.shape
        given = inputs @ self._input + self._bias
        hidden = np.zeros((count, SIZE), np.float32)
        cell = np.zeros((count, SIZE), np.float32)
        states = np.empty((steps, count, SIZE), np.float32)
        for step in range(steps):
            gates = given[step] + hidden @ self._hidden
            entering, kept, new, out = np.split(gates, 4, axis=1)
            cell = _sigmoid(kept) * cell + _sigmoid(entering) * np.tanh(new)
            hidden = _sigmoid(out) * np.tanh(cell)
            states[step] = hidden
        return states


def _sigmoid(x: Floats) -> Floats:
    """By tanh, which cannot overflow."""
    result: Floats = np.tanh(x * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
    return result
