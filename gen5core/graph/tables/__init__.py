"""What is known of node classes: class -> role -> the input that plays it.

===================  =============================================================
schema               the vocabulary of the tables
samplers             nodes that sample
guiders_and_sigmas   guiders, sigmas and sampler objects
loaders_and_latents  loaders, model patches, texts, conditionings, latents
values_and_switches  primitives, reroutes, switches, pipes and contexts
lookup               the row of a class; for an unknown one a guess by input names
===================  =============================================================
"""
