"""What is known about node classes: class -> role -> the input that has it.

===================  =============================================================
schema               the vocabulary of the tables
samplers             nodes that sample
guiders_and_sigmas   guiders, sigmas and sampler objects
loaders_and_latents  loaders, model patches, texts, conditionings, latents
values_and_switches  primitives, reroutes, switches, pipes and contexts
lookup               the row of a class; for an unknown class, a guess by input names
===================  =============================================================
"""
