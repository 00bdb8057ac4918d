"""Values -> one file, written atomically.

===========  =====================================================================
model_info   settings, prompt, tags and hardware -> META's ``model_info``, checked
assemble     payloads and META -> one file: chunks, then META, finally the header
carrier_png  a picture and a record -> one PNG
save         ``save``: a caller's arguments -> a file
===========  =====================================================================
"""
