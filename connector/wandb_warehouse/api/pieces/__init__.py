"""What objects of the surface are made of: W&B's names, pages, paths, filters, HTML."""
