"""Files that are given to ComfyUI: what they are by their content, and what they are named."""
