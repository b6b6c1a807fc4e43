import tensorbridge as tb
import torch


class Photo(tb.Record, name="readme.photo"):
    """A photo ready for the network."""

    pixels = tb.f32(3, 224, 224, doc="RGB planes, normalised")
    id = tb.u64(doc="The caller's number for this photo.")


class Scores(tb.Record, name="readme.scores"):
    """What the network says about a photo."""

    logits = tb.f32(10)


@tb.service("readme", Photo, Scores)
class Network:
    def __init__(self):  # once per worker process
        self.model = torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 10)
        ).eval()

    def __call__(self, photo, scores):  # records come as a batch: pixels is [n, 3, 224, 224]
        scores.logits[:] = self.model(photo.pixels.torch())


if __name__ == "__main__":
    tb.serve(Network)
