"""LeNet-5, and the two losses that it is trained with."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LOSSES", "LeNet5", "TorchCrossEntropyLoss", "make_criterion", "normalise"]

LOSSES = ("torch", "npl")


class LeNet5(nn.Module):
    """LeNet-5 [1]_ with ReLU and max pooling: (n, 1, 32, 32) to scores (n, 10), 61,706 parameters.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
       recognition", Proceedings of the IEEE 86(11), 1998.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.conv3 = nn.Conv2d(16, 120, kernel_size=5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(120, 84)
        self.fc2 = nn.Linear(84, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (logits) of normalised images."""
        x = self.pool(F.relu(self.conv1(images)))
        x = self.pool(F.relu(self.conv2(x)))
        x = self.conv3(x).flatten(1)
        return self.fc2(F.relu(self.fc1(x)))


def normalise(images: Tensor) -> Tensor:
    """Map uint8 images to floats from -1 to 1: mean 0.5 and deviation 0.5 of the scale 0 to 1."""
    return images.float().div_(127.5).sub_(1)


class TorchCrossEntropyLoss(nn.CrossEntropyLoss):
    """Torch's cross entropy, with the `normalizer` argument that NPL's has of itself."""

    def forward(self, input: Tensor, target: Tensor, *, normalizer: float | None = None) -> Tensor:
        """Mean loss; with `normalizer`, the sum of the losses divided by it."""
        if normalizer is None:
            return super().forward(input, target)
        return F.cross_entropy(input, target, reduction="sum") / normalizer


def make_criterion(name: str) -> nn.Module:
    """Return the cross entropy called "npl" or "torch"."""
    if name == "torch":
        return TorchCrossEntropyLoss()
    # Imported here, so that torch's own loss can be trained where NPL is not installed.
    from npl.adapters.torch import CrossEntropyLoss

    return CrossEntropyLoss()
