"""Set before anything is imported: no progress bars in the output, no network."""

import os

os.environ["TQDM_DISABLE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
