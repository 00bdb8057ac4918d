"""What this machine is, and how two machines differ (drift).

=============  ========================================================================================
probes         the questions to the operating system and the driver, replaceable in tests
torch_state    the version and settings of torch, read without importing it
hardware       META's ``hardware_info``, and how two of them differ
components     ``Environment``: captures, parses and compares the ENVC chunk and META's ``environment``
model_digests  digests of model files, sampled or full, with a cache
=============  ========================================================================================

To compare one more fact: a property of the machine goes into ``probes``, ``hardware`` and the rules of
``writer.model_info``; a setting of torch into ``torch_state``; anything else into ``Environment.capture``.
"""
