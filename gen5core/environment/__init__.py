"""What this machine is, and how two machines differ.

=============  ===============================================================
probes         one function per question to the system, replaceable in tests
torch_state    the installed torch and its settings, read without importing it
hardware       META's ``hardware_info``, and the drift between two machines
components     the ENVC chunk: captured, parsed, compared
model_digests  digests of model files, sampled or full, and their cache
=============  ===============================================================
"""
