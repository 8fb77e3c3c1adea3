"""A bank of vectors that stands for many, and how far others are from it (PatchCore)."""

from __future__ import annotations

import torch
from torch import Tensor

_ALL = 8  # from one in so many vectors on, a product with all of them is faster than differences from those alone
_SLACK = 1e-5  # of the largest squared norm: what rounding may do to a squared distance that is taken as a difference


def vectors_of(features: Tensor) -> Tensor:
    """Features `(F, h, w)` → vectors `(h·w, F)`."""
    return features.flatten(1).T.contiguous()


def nearest_distance(vectors: Tensor, bank: Tensor) -> Tensor:
    """Euclidean distances `(M,)` of vectors `(M, F)` to the nearest of a bank `(K, F)`: exact, of all K."""
    centre = bank.mean(dim=0)
    vectors, bank = vectors - centre, bank - centre
    # a product says which is nearest; the distance itself is taken of the two, since squares would cancel
    nearest = (bank.square().sum(dim=1) - 2 * vectors @ bank.T).argmin(dim=1)
    return (vectors - bank[nearest]).square().sum(dim=1).sqrt()


def coreset(vectors: Tensor, count: int, first: int) -> Tensor:
    """Which `count` of the vectors `(M, F)` greedy k-centre takes, as indices: `first`, and then each time the one that is
    farthest from all before it (Roth et al. 2022, algorithm 1, without its random projection).

    A vector whose centre is more than twice as far from the newest one as from itself cannot be nearer to that (triangle
    inequality), so it is not looked at.
    """
    if len(vectors) <= count:
        return torch.arange(len(vectors), device=vectors.device)
    vectors = vectors - vectors.mean(dim=0)
    norms = vectors.square().sum(dim=1)
    slack = _SLACK * norms.max()
    chosen = torch.zeros(count, dtype=torch.long, device=vectors.device)
    centres, centre_norms = vectors.new_zeros(count, vectors.shape[1]), vectors.new_zeros(count)
    nearest = torch.full_like(norms, torch.inf)  # squared distances to the nearest centre, and which that is
    owner = torch.zeros_like(norms, dtype=torch.long)
    newest = first
    for number in range(count):
        centre, norm = vectors[newest], norms[newest]
        chosen[number], centres[number], centre_norms[number] = newest, centre, norm
        apart = centre_norms[: number + 1] - 2 * (centres[: number + 1] @ centre) + norm
        asked = (((apart - slack) / 4)[owner] < nearest).nonzero()[:, 0]
        if _ALL * len(asked) > len(vectors):
            squared = (norms - 2 * (vectors @ centre) + norm)[asked]
        else:
            squared = (vectors[asked] - centre).square().sum(dim=1)
        closer = squared < nearest[asked]
        moved = asked[closer]
        nearest[moved], owner[moved] = squared[closer], number
        nearest[newest] = -1  # it is not taken twice, whatever rounding says
        newest = int(nearest.argmax())
    return chosen
