"""Records a sampler run, or starts one from a file.

===============  =======================================================================================
call             the arguments and the result of one sampler call, which differ between ComfyUI versions
overrides        what this pack's nodes changed for that call: its inputs, torch's settings
random_calls     which of torch's functions draw random values
journal          sees every such call of a run
generators       the states of the global random generators, kept and put back
step_noise       records or plays back what a sampler draws
recording        the value of a GEN5_RECORDING socket: the recent runs, found by result or by settings
recorder         the wrapper that records a run
pass_order       the stored passes that a node has replayed in this prompt
settings_differ  what a run has other than its stored pass
replayer         the wrapper that starts a run from a stored pass
straight         starts a run from a file because its latent is Load Gen5's noise
automatic        wraps every run of the process in both, for graphs without wiring
===============  =======================================================================================
"""
