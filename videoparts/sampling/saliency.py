"""Where the object may be, from where the [CLS] token looks (paper, section 4: saliency maps)."""

from __future__ import annotations

import torch

_ALIKE = 0.1  # patches whose cosine is less by so much share less of their saliency, by a factor of e
_MOST = 10.0  # attention above so many times the frame's mean counts no more: single patches attract far more
_SIDE = 256  # patches whose likenesses to so many others are held at a time: they stay in a core's cache
_SIDE_ELSEWHERE = 4096  # the same on a GPU
_AGREE = 0.5  # heads whose share in the common component is below this part of the largest are left out


def object_heads(attention: torch.Tensor) -> list[int]:
    """The attention heads that look at the object, chosen from the data; works for every model.

    Most heads of a DINO ViT's last block look at the object, a few at the background, and which is which differs from
    model to model. Heads that look at the same things have maps that correlate: the leading eigenvector of the
    correlation between the maps of all heads is what they have in common. A head with a small share in it, or one
    of the opposite sign, looks elsewhere.

    Args:
        attention: (N, heads, h, w), each head's [CLS] attention in some frames.

    Returns:
        Indices of heads, at least one, ascending.
    """
    maps = _relative(attention).flatten(2)
    maps = maps - maps.mean(2, keepdim=True)
    maps = maps / maps.norm(dim=2, keepdim=True).clamp_min(1e-12)
    correlation = torch.einsum("nhp,ngp->hg", maps, maps) / len(maps)
    share = torch.linalg.eigh(correlation.double().cpu())[1][:, -1]
    share = share * (1 if share.sum() >= 0 else -1)
    return [int(head) for head in (share >= _AGREE * share.max()).nonzero()[:, 0]]


def saliency(attention: torch.Tensor, heads: list[int]) -> torch.Tensor:
    """The mean attention of some heads, scaled to 0..1 in each frame: (N, heads, h, w) to (N, h, w)."""
    mean = attention[:, heads].mean(1)
    low, high = mean.amin((1, 2), keepdim=True), mean.amax((1, 2), keepdim=True)
    return (mean - low) / (high - low).clamp_min(1e-12)


def _relative(attention: torch.Tensor) -> torch.Tensor:
    """Attention over its mean in the frame, clipped."""
    return (attention / attention.mean((2, 3), keepdim=True).clamp_min(1e-12)).clamp(max=_MOST)


def smooth_saliency(attention: torch.Tensor, tokens: torch.Tensor, heads: list[int]) -> torch.Tensor:
    """Attention over its mean in the frame, averaged over patches that look alike.

    Attention falls on single patches of an object; what looks like them is as salient.

    Args:
        attention: (N, heads, h, w).
        tokens: (N, h, w, D), unit length.
        heads: those that count.

    Returns:
        (N, h, w) float32; 1 is the mean of a frame.
    """
    salient = _relative(attention[:, heads].mean(1, keepdim=True))[:, 0]
    smooth = torch.empty_like(salient)
    for i, flat in enumerate(tokens.flatten(1, 2)):
        values = torch.stack([salient[i].flatten(), torch.ones_like(salient[i]).flatten()], dim=1)
        total = _over_alike(flat, values)
        smooth[i] = (total[:, 0] / total[:, 1]).view_as(salient[i])
    return smooth


def _over_alike(flat: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """For each of n patches the sum over all of ``values`` (n, K), each by how alike the two patches (n, D) are.

    That is symmetric: of the n x n likenesses half are worked out, a block at a time.
    """
    side = _SIDE if flat.device.type == "cpu" else _SIDE_ELSEWHERE
    offset = flat.new_full((), -1 / _ALIKE)
    blocks = list(zip(*(torch.split(one, side) for one in (flat, flat / _ALIKE, values)), strict=True))
    total = [torch.zeros_like(some) for _, _, some in blocks]
    for a, (_, scaled, mine) in enumerate(blocks):
        for b in range(a, len(blocks)):
            other, _, theirs = blocks[b]
            alike = torch.addmm(offset, scaled, other.T).exp_()
            total[a] += alike @ theirs
            if a != b:
                total[b] += alike.T @ mine
    return torch.cat(total)
