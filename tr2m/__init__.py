"""TR2M: metric depth from one picture and one sentence."""

__version__ = "0.1.0"
