"""Tables of measurements made elsewhere: read as a mapping says, and checked row by row."""
