"""Records one sampler run, or starts it from a file.

==========  ======================================================================
call        the arguments and result of one sampler call, in every ComfyUI version
overrides   the inputs of that call that this pack's nodes changed
step_noise  records or plays back the noise drawn at each step
recording   the value of a GEN5_RECORDING socket: all runs, found by the latents they returned
recorder    the wrapper that records a run
replayer    the wrapper that starts a run from a stored pass
==========  ======================================================================
"""
