"""The report of a target: one page and six lines, made from the files of the data model alone."""
