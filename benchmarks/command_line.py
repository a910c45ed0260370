"""What the commands have in common."""

import platform


def names(text: str) -> list[str]:
    """Splits a comma-separated option."""
    return [name.strip() for name in text.split(",") if name.strip()]


def machine() -> dict[str, str]:
    """Describes what the figures were measured on."""
    return {"python": platform.python_version(), "system": platform.platform()}
