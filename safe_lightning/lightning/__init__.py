"""What is known of the wrapped tools and of the cluster they talk to, behind small functions."""
