"""What is known about node classes: class -> role -> the input that has this role.

===================  ================================================================
schema               the vocabulary of the tables
samplers             table: nodes that sample
guiders_and_sigmas   table: guiders, sigmas and sampler objects
loaders_and_patches  table: loaders, LoRAs, hooks, model patches
texts_and_latents    table: texts, conditionings, latents
values_and_switches  table: primitives, reroutes, switches, pipes and contexts
lookup               the row of a class; for an unknown class, a guess by input names
===================  ================================================================
"""
