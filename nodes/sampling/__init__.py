"""Records a sampler run, or starts one from a file.

==========  =======================================================================================
call        the arguments and the result of one sampler call, which differ between ComfyUI versions
overrides   what this pack's nodes changed for that call: its inputs, torch's settings
step_noise  records or plays back the noise drawn at each step
recording   the value of a GEN5_RECORDING socket: the recent runs, found by result or by settings
recorder    the wrapper that records a run
automatic   records every run of the process, for saves without a recording
replayer    the wrapper that starts a run from a stored pass
==========  =======================================================================================
"""
