"""Exported models in production: bundles, champions, predictions and signals. Never imports Ray."""
