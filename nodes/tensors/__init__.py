"""LATENT and IMAGE values: what ComfyUI passes between nodes.

==========  =============================================================================================
latents     a LATENT and its tensors: nested or not, images of a batch, masks; ComfyUI's noise for a seed
images      an IMAGE -> 8-bit pixels, PNGs, previews
difference  two tensors compared: identical or not, L∞, PSNR, a picture of the difference
==========  =============================================================================================
"""
