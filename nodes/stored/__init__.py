"""What nodes and the browser read from a stored file.

===========  =======================================================================
folders      lists folders; a stamp that changes when a file does
choices      the files that Load Gen5 offers
error_kinds  an error -> a word for programs
paths        a name in that list -> a path inside ComfyUI's folders
file         StoredFile, the value on a GEN5 wire: a path and a root, read on demand
passes       the sampler passes of a file
start        what a replay starts from: passes, settings, latent and mask in one read
settings     its sampler settings
models       the model files that made an image, with their digests
drift        what differs on this machine
signatures   the signing key; how far a file's signatures are trusted here
===========  =======================================================================
"""
