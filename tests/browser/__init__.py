"""The web extension in a real browser, before a real ComfyUI, in the frontends and renderers that people use."""
