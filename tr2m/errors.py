"""The one exception that means "the user can fix this": scripts print it as a single message, without a traceback."""


class UserError(ValueError):
    """A mistake in a config, a path, a file or an argument. The message states what was got, what was expected and what
    to do.
    """


class CannotWriteError(UserError):
    """The disk is full, or nothing can be written there: whatever follows would fail, too."""
