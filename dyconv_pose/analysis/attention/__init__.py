"""A look inside the attention of a trained network: how even it is, how it follows the image, and what it is for."""

from .inspection import Inspection, inspect
from .recording import LayerAttention, record_attention
from .replacing import REPLACEMENTS, replace_attention
from .summaries import LayerSummary, summarise_layer

__all__ = [
    'REPLACEMENTS',
    'Inspection',
    'LayerAttention',
    'LayerSummary',
    'inspect',
    'record_attention',
    'replace_attention',
    'summarise_layer',
]
