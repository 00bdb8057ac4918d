"""Values -> one atomic file.

===========  ======================================================================
model_info   settings, prompt, tags and hardware, checked, as META's ``model_info``
assemble     payloads and META -> one file: chunks, META, last the header
carrier_png  a picture and a record -> one PNG
save         ``save``: what a caller has -> a file
===========  ======================================================================
"""
