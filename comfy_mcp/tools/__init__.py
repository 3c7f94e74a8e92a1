"""What the model may ask for: tools as values, and the MCP server that offers them."""
