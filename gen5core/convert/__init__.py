"""Other formats, in and out.

===========  ===================================================
importers    .latent, .safetensors and PNG -> GEN5
exporters    GEN5 -> .latent, .safetensors, PNG
safetensors  safetensors files <-> raw tensors, bit for bit
===========  ===================================================
"""
