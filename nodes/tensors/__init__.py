"""LATENT and IMAGE: what ComfyUI passes along a wire, as tensors.

==========  ===========================================================================
latents     a LATENT and its tensors: nested or not, images of a batch, masks
images      an IMAGE -> 8-bit pixels, PNGs, previews
difference  two tensors compared: identical or not, L∞, PSNR, a picture of the difference
==========  ===========================================================================
"""
