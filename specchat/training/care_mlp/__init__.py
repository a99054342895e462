"""The bundled MLP speculator: IBM's two stages of training."""
