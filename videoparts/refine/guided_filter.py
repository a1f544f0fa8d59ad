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
        self._colours = torch.cat([torch.ones_like(guide[:, :1]), guide], dim=1)[:, None]  # (N, 1, 4, y, x), 1 first
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
            (N, C, 4, y, x), the factors of red, green and blue, and the offset: `apply` works them out.
        """
        n, c, y, x = planes.shape
        functions = planes.new_empty(n, c, 4, y, x)
        # On a CPU one after the other, so that what is worked on stays in the core's cache.
        step = 1 if planes.device.type == "cpu" else c
        for k in range(0, c, step):
            some = slice(k, k + step)
            self._fit(planes[:, some], functions[:, some])
        return functions

    def functions_and_mean(self, planes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`functions`, and what a guide of one colour would make of the planes: the mean of the windows' means,
        (N, C, y, x)."""
        n, c, y, x = planes.shape
        both = planes.new_empty(n, c, 5, y, x)
        self._fit(planes, both)
        return both[:, :, :4], both[:, :, 4]

    def _fit(self, planes: torch.Tensor, out: torch.Tensor) -> None:
        """Write functions of planes (N, C, y, x), and the mean if there is room, to ``out`` (N, C, 4 or 5, y, x)."""
        n, c, rows, y, x = out.shape
        means = box((self._colours * planes[:, :, None]).flatten(1, 2), self._radius).view(n, c, 4, y, x)
        mean, covariance = means[:, :, 0], means[:, :, 1:]
        covariance.addcmul_(self._mean[:, None], mean[:, :, None], value=-1)
        inverse = self._inverse[:, None]
        windows = torch.empty_like(out, memory_format=torch.contiguous_format)
        factors, offset = windows[:, :, :3], windows[:, :, 3]
        torch.mul(inverse[:, :, :, 0], covariance[:, :, :1], out=factors)
        factors.addcmul_(inverse[:, :, :, 1], covariance[:, :, 1:2])
        factors.addcmul_(inverse[:, :, :, 2], covariance[:, :, 2:])
        torch.addcmul(mean, factors[:, :, 0], self._mean[:, None, 0], value=-1, out=offset)
        for k in (1, 2):
            offset.addcmul_(factors[:, :, k], self._mean[:, None, k], value=-1)
        if rows == 5:
            windows[:, :, 4] = mean
        for k in range(c):
            box(windows[:, k], self._radius, out[:, k])


def apply(functions: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Linear functions (N, C, 4, ...) of the colours (N, 3, ...): (N, C, ...)."""
    total = torch.addcmul(functions[:, :, 3], functions[:, :, 0], colours[:, None, 0])
    for k in (1, 2):
        total.addcmul_(functions[:, :, k], colours[:, None, k])
    return total
