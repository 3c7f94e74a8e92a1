"""Finding nodes and models: ranked search over what ComfyUI tells. Pure."""
