"""ComfyUI-Gen5: save an image with everything that made it, and reproduce it bit for bit."""

if __package__:  # pytest collects this file as a module without a package
    from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS, host
    from .nodes.models import opened
    from .nodes.prompt import on_prompt
    from .nodes.sampling import automatic
    from .nodes.server import routes

    WEB_DIRECTORY = "./web"
    host.note_users()
    opened.register()
    automatic.register()
    on_prompt.register()
    routes.register()
    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
