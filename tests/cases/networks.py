"""The smallest networks that show what a class must get right: every parameter acts, nothing is zero, all is smooth."""

import torch
from torch import nn


class TinyDenoisingNetwork(nn.Module):
    """One hidden layer on the datum, the squashed log-SNR and perhaps a context."""

    def __init__(self, features, out_features=None, *, hidden=8, context_shape=None):
        super().__init__()
        self.context_shape = context_shape
        extra = 0 if context_shape is None else context_shape[0]
        self.inner = nn.Linear(features + 1 + extra, hidden)
        self.outer = nn.Linear(hidden, features if out_features is None else out_features)
        if context_shape is not None:
            self.register_buffer("null_context", torch.zeros(context_shape))

    def forward(self, x, log_snr, context=None):
        parts = [x, torch.tanh(log_snr / 10).unsqueeze(-1)]
        if context is not None:
            parts.append(context)
        return self.outer(torch.tanh(self.inner(torch.cat(parts, -1))))
