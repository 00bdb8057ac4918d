"""One sampler run: recorded, or started from a file.

==========  ======================================================================
call        the arguments and result of one sampler call, for every ComfyUI
overrides   what our own nodes changed in that call
step_noise  the noise drawn at each step: recorded or played back
recording   the GEN5_RECORDING wire: all runs, and which run returned which latent
recorder    the wrapper that records a run
replayer    the wrapper that starts a run from a stored pass
==========  ======================================================================
"""
