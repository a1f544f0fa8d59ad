"""The colour guided filter: a picture made to follow the edges of another."""

from __future__ import annotations

import torch

from .box_filter import box


class GuidedFilter:
    """He, Sun, Tang: "Guided Image Filtering", 2013, with a colour guide; what depends on the guide alone, kept.

    In each window a plane is fitted as a linear function of the guide's colour; a pixel takes the mean of the functions
    of all windows that it lies in.

    Args:
        guide: (N, 3, y, x) float32, 0 to 1.
        radius: of the window, which is a square of ``2 * radius + 1`` pixels.
        eps: regularisation: smaller follows weaker edges.
    """

    def __init__(self, guide: torch.Tensor, radius: int, eps: float) -> None:
        self._radius = radius
        self._colours = torch.cat([torch.ones_like(guide[:, :1]), guide], dim=1)[:, :, None]  # (N, 4, 1, y, x), 1 first
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        products = [guide[:, i : i + 1] * guide[:, j : j + 1] for i, j in pairs]
        means = box(torch.cat([guide, *products], dim=1), radius)
        self._mean = mean = means[:, :3]
        # Covariance of the colours, a symmetric 3 x 3 matrix a pixel, inverted in closed form.
        rr, rg, rb, gg, gb, bb = (means[:, 3 + k] - mean[:, i] * mean[:, j] for k, (i, j) in enumerate(pairs))
        rr, gg, bb = rr + eps, gg + eps, bb + eps
        i_rr, i_rg, i_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
        i_gg, i_gb, i_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
        scale = 1 / (rr * i_rr + rg * i_rg + rb * i_rb)
        rows = [[i_rr, i_rg, i_rb], [i_rg, i_gg, i_gb], [i_rb, i_gb, i_bb]]
        self._inverse = torch.stack([torch.stack([factor * scale for factor in row], 1) for row in rows], 1)

    def functions(self, planes: torch.Tensor) -> torch.Tensor:
        """The linear function of the colour that stands for ``planes`` (N, C, y, x) at each pixel.

        Returns:
            (N, 4, C, y, x), the factors of red, green and blue, and the offset: `apply` works them out.
        """
        n, c, y, x = planes.shape
        products = (self._colours * planes[:, None]).flatten(1, 2)
        means = box(products, self._radius).view(n, 4, c, y, x)
        mean, covariance = means[:, 0], means[:, 1:]
        covariance = covariance - self._mean[:, :, None] * mean[:, None]
        functions = torch.empty_like(means)
        factors, offset = functions[:, :3], functions[:, 3]
        torch.mul(self._inverse[:, :, 0, None], covariance[:, None, 0], out=factors)
        factors.addcmul_(self._inverse[:, :, 1, None], covariance[:, None, 1])
        factors.addcmul_(self._inverse[:, :, 2, None], covariance[:, None, 2])
        offset.copy_(mean)
        for k in range(3):
            offset.addcmul_(factors[:, k], self._mean[:, k, None], value=-1)
        return box(functions.flatten(1, 2), self._radius).view(n, 4, c, y, x)

    def colourless(self, planes: torch.Tensor) -> torch.Tensor:
        """What a guide of one colour would make of planes (N, C, y, x): the mean of the windows' means."""
        return box(box(planes, self._radius), self._radius)


def apply(functions: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Linear functions (N, 4, C, ...) of the colours (N, 3, ...): (N, C, ...)."""
    total = functions[:, 3]
    for k in range(3):
        total = torch.addcmul(total, functions[:, k], colours[:, k, None])
    return total
