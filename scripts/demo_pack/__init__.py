"""Custom nodes for the demo only: a MODEL without weights, its conditioning and its decoder."""

from .sky import ClosedFormSky, SkyPicture, SkyText

NODE_CLASS_MAPPINGS = {node.__name__: node for node in (ClosedFormSky, SkyPicture, SkyText)}
NODE_DISPLAY_NAME_MAPPINGS = {
    "ClosedFormSky": "Closed-form Sky",
    "SkyPicture": "Sky Picture",
    "SkyText": "Sky Text",
}
