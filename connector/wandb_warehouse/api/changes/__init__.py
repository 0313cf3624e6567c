"""What changes W&B: through the official client, and then into the warehouse.

writing     the way to W&B
changing    what a run offers of it
artifacts   changes of artifacts, and what shows them
differing   what a run has otherwise than the warehouse
refreshing  bringing what was changed into the warehouse
"""
