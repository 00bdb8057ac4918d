"""What a stored file gives to nodes and to the browser.

===========  =======================================================================
folders      folders, listed with a stamp that changes when a file does
choices      the files that Load Gen5 offers
error_kinds  an error -> a word for programs
paths        a name in that list -> a path that stays inside ComfyUI's folders
file         StoredFile, the value on a GEN5 wire: a path and a root, read on demand
passes       the sampler passes of a file
start        what a replay starts from: passes, settings, latent and mask, read at once
settings     its sampler settings
models       the model files behind an image, described and digested
drift        what differs on this machine
signatures   the key for signing; what a file's signatures are worth here
===========  =======================================================================
"""
