"""Text that strangers wrote, as a terminal may show it."""


def printable(text):
    """Return a text without control characters and line breaks: terminals obey those."""
    return "".join(letter for letter in text if letter.isprintable())
