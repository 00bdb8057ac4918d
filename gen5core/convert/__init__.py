"""Converts other formats to GEN5 and back.

===========  ===========================================================================================
importers    .latent, .safetensors and PNG -> GEN5; one entry in ``IMPORTERS`` per suffix
exporters    GEN5 -> .latent, .safetensors, PNG, and a PNG that carries a record -> .gen5; ``EXPORTERS``
safetensors  safetensors files <-> raw tensors, bit for bit
===========  ===========================================================================================
"""
