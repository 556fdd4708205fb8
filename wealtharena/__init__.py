"""WealthArena: nightly retraining, honest evaluation and gated promotion of trading agents."""

__version__ = "0.1.0"
