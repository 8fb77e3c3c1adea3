"""Single-step, reconstruction-free anomaly detection with patch diffusion, as a configurable experiment."""

__version__ = "0.1.0"
DISTRIBUTION = "radar-patch-diffusion"  # the name to install by: `radar` on PyPI is another project


def install_command(extra: str) -> str:
    """The command that adds an extra of pyproject.toml to this installation."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
