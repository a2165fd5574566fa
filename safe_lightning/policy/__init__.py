"""The policy file: typed settings, their loading, checking, showing and generating."""
