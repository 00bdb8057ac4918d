"""The model files behind an image: which are named above a save, and which its nodes opened.

=========  ================================================================================================
kinds      ComfyUI's model folders <-> the kinds of META's ``resources``
index      the names in all model folders; a name in a prompt -> its file
mentions   the texts above a node that may name a model file, and whether they are switched off
opened     which files each node looked up or opened as it ran, and which lazy inputs it asked for
behind     all of it together: the model files behind a node, with kind and state
=========  ================================================================================================
"""
