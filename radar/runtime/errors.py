"""What goes wrong, each in one line that says what, where and what to do."""


class ImageError(Exception):
    """An image cannot be read or does not fit; the message says why."""


class RuntimeFolderError(Exception):
    """An exported model's folder is not whole, or what runs it is not installed; the message names it."""
