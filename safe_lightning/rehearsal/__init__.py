"""The sandbox: stand-in tools and a stand-in target, and the demo built on them."""
