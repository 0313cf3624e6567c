"""What changes W&B: through the official client, and then into the warehouse.

writing     the way to W&B
changing    what a run offers of it
differing   what a run has otherwise than the warehouse
refreshing  bringing what was changed into the warehouse
"""
