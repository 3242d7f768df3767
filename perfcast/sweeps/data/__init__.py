"""What classifiers are trained and evaluated on: real data where there is any, else a labelled default."""
