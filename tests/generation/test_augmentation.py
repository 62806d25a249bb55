import torch

from unpool.generation.augmentation import augment


def test_each_picture_differs_repeatably_and_with_gradients():
    pictures = torch.rand(1, 3, 16, 16).repeat(6, 1, 1, 1).requires_grad_()
    one = augment(pictures, 0.9, torch.Generator().manual_seed(0))
    two = augment(pictures, 0.9, torch.Generator().manual_seed(0))
    torch.testing.assert_close(one, two)
    assert one.shape == pictures.shape
    assert not torch.allclose(one[0], one[1])
    one.sum().backward()
    assert pictures.grad.abs().sum() > 0


def test_probability_zero_changes_nothing_and_grey_works():
    grey = torch.rand(4, 1, 28, 28)
    assert augment(grey, 0.0, torch.Generator()) is grey
    moved = augment(grey, 1.0, torch.Generator().manual_seed(1))
    assert moved.shape == grey.shape
    assert (moved == 0).any()
