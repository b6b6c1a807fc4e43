import numpy as np
import tensorbridge as tb
from worker import Photo, Scores

with tb.Client("readme", Photo, Scores, timeout=60.0) as client:
    scores = client.call(pixels=np.full((3, 224, 224), 0.5, np.float32), id=7)
    print(scores.logits.numpy())
