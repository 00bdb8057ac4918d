"""LATENT and IMAGE values: what ComfyUI passes between nodes.

==========  =============================================================================================
latents     a LATENT and its tensors: nested or not, images of a batch, masks; ComfyUI's noise for a seed
odd         values of any other kind: kept as plain tensors and JSON, or the reason why not
images      an IMAGE -> 8-bit pixels, PNGs, previews
difference  two tensors compared: identical or not, L∞, PSNR, a picture of the difference
==========  =============================================================================================
"""
