"""What is measured: the catalogues of networks, and the sheets that list which of them to take."""
