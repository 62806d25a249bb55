"""Every kind of damage gives pictures of the right size, and says which kinds there are."""

import pytest
import torch

from unpool.restoration.damage import KINDS, damage


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_and_seeds(kind):
    scale = 4 if kind in ("sr", "photo") else 1
    made = damage(kind, scale)
    clean = torch.rand(1, 3, 48, 60, generator=torch.Generator().manual_seed(1))
    one, again = (made.degradation(clean, torch.Generator().manual_seed(7)) for _ in range(2))
    assert one.shape == (1, 3, 48 // scale, 60 // scale)
    assert torch.equal(one, again)
    for probe in made.probes.values():
        assert probe(clean, torch.Generator().manual_seed(7)).shape == one.shape


@pytest.mark.parametrize(("kind", "scale"), [("rust", 1), ("sr", 1), ("denoise", 2)])
def test_wrong_kinds_are_refused(kind, scale):
    with pytest.raises(ValueError, match="kind"):
        damage(kind, scale)
