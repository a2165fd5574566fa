"""The built-in hooks, one module each; they import safe_lightning.api and nothing else of ours."""
