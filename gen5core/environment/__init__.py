"""What this machine is, and how two machines differ.

=============  ===============================================================
probes         one function per fact about the system, replaceable in tests
torch_state    the version and settings of torch, read without importing it
hardware       META's ``hardware_info``, and the differences between two machines
components     the ENVC chunk: capture, parse, compare
model_digests  digests of model files, sampled or full, with a cache
=============  ===============================================================
"""
