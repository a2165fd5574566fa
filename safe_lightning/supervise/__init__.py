"""The one place that starts processes, and what watches them."""
