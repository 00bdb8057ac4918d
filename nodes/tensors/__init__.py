"""LATENT and IMAGE: what ComfyUI passes along a wire, as tensors.

==========  ==============================================================
latents     a LATENT and its tensors: nested or not, one of a batch, masks
images      an IMAGE -> 8-bit pixels, PNGs, previews
difference  two tensors: identical or not, L∞, PSNR, and where they differ
==========  ==============================================================
"""
