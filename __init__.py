"""ComfyUI-Gen5: save an image with everything that made it, and make it again, bit for bit."""

if __package__:  # pytest collects this file as a module without a package
    from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS, hook, routes

    WEB_DIRECTORY = "./web"
    hook.register()
    routes.register()
    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
