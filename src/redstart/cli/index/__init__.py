"""The commands of `om index`."""
