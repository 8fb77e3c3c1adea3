"""Single-step, reconstruction-free anomaly detection with patch diffusion, as a configurable experiment."""

__version__ = "0.1.0"
