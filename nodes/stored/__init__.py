"""Stored files, as nodes and the browser use them.

===========  =============================================================================================
folders      lists a folder, with a stamp for each file that changes when the file does
choices      the files that Load Gen5 offers
error_kinds  an error -> its machine-readable kind
paths        a name in Load Gen5's list -> a path inside ComfyUI's folders
file         StoredFile, the value of a GEN5 socket: opened on demand, an error if it was moved or changed
draws        what a sampler drew during a run, in a recording and in a file
passes       the sampler passes of a file
latent_keys  what a LATENT holds beside its tensors, in META and back
start        what a replay starts from: passes, settings, latent and mask in one read
settings     the sampler settings of a file
models       the model files that made an image, with their digests
drift        how the machine that made a file differs from this one
signatures   the key that signs saves; how far a file's signatures are trusted here
===========  =============================================================================================
"""
