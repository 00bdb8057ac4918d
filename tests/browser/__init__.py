"""The web extension in a real browser with a real ComfyUI, in the frontends and renderers that people use."""
